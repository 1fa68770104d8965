"""What turns pictures into tokens in front of a model in slots: its weights, and the buffer in which it computes them.

The formulas are of the graphs of tools/mtmd and of measured starts; see docs/memory.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.engine_memory import EngineMemory, Interval
from anvil_gen.fit.gguf_header import GgufHeader

_VISION = "clip.vision."
_TYPE = "projector_type"
_MERGES = ("spatial_merge_size", "projector.scale_factor")
_FLOAT = 4
_SMALL = 128  # values of a patch for its position, and what its pixels were
_ACCURACY = 0.97


class Projector(Struct, frozen=True, kw_only=True):
    """The numbers of a projector that decide what it takes; ``patches`` of the first picture and of the largest."""

    weights: int
    hidden: int
    intermediate: int
    heads: int
    is_gated: bool
    patches: Interval

    def need(self, *, flash_attention: bool) -> Interval:
        """Return the bytes that it takes: at the start at least, after the largest picture at most."""
        low, high = self.patches.low, self.patches.high
        values = (3 if self.is_gated else 1) * self.intermediate + 3 * self.hidden
        least, most = max(values, 5.0 * self.hidden) * _ACCURACY, max(values, 7.0 * self.hidden)
        if not flash_attention:
            least, most = max(least, self.heads * low), max(most, self.heads * high + 7 * self.hidden)
        return Interval(low=self.weights + _FLOAT * low * least, high=self.weights + _FLOAT * high * (most + _SMALL))


def projector_of(header: GgufHeader, rules: EngineMemory, most_tokens: int | None) -> Projector | None:
    """Return a projector, whose largest picture may be limited; None of a kind that is not known."""
    metadata = header.metadata
    kind = metadata.get("clip.projector_type") or metadata.get(_VISION + _TYPE)
    picture = rules.pictures.get(str(kind))
    side, patch = (_number(metadata, name) for name in ("image_size", "patch_size"))
    if picture is None or not patch or metadata.get("clip.has_audio_encoder"):
        return None
    merge = next((found for name in _MERGES if (found := _number(metadata, name))), picture.merge) ** 2
    whole = (side // patch) ** 2
    first, largest = picture.first * merge or whole, (most_tokens or picture.most) * merge or whole
    return Projector(
        weights=sum(tensor.size for tensor in header.tensors),
        hidden=_number(metadata, "embedding_length"),
        intermediate=_number(metadata, "feed_forward_length"),
        heads=_number(metadata, "attention.head_count"),
        is_gated=any(".ffn_gate." in tensor.name for tensor in header.tensors),
        patches=Interval(low=first, high=max(first, largest)),
    )


def _number(metadata: Mapping[str, Any], name: str) -> int:
    value = metadata.get(_VISION + name)
    return value if isinstance(value, int) else 0
