"""What must be known of a model to say how much memory it takes: some 0.6 KB, whatever it was read from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from anvil_gen.patterns import lazy_pattern

LayerKind = Literal["F", "S", "C", "M", "L", "N", "X"]
"""Full attention, a sliding window, chunks, latent attention (MLA), linear attention or another state, no cache, and
the attention of a decoder's layer to all that its encoder read."""
_REPEATED = lazy_pattern(r"([A-Z]+)(?:\*(\d+))?(?:\s+|$)")


class Attention(Struct, frozen=True, kw_only=True):
    """Layers that keep a key and a value of each token; ``window`` is that of sliding or chunked ones."""

    kv_heads: int
    head_dim: int  # of a key
    value_dim: int | None = None  # None: as a key
    window: int | None = None  # to an encoder, all of its tokens

    @property
    def elements(self) -> int:
        """Elements that a token takes in one layer, for each of the heads."""
        return self.head_dim + (self.head_dim if self.value_dim is None else self.value_dim)


class Latent(Struct, frozen=True, kw_only=True):
    """Layers of latent attention: one compressed vector for each token; ``indexer`` is what picks tokens needs."""

    rank: int
    rope: int
    indexer: int = 0  # elements

    @property
    def elements(self) -> int:
        """Elements that a token takes in one layer."""
        return self.rank + self.rope


class Linear(Struct, frozen=True, kw_only=True):
    """Layers that keep a state of fixed size; ``state_bytes`` is the size of one of its elements."""

    k_heads: int
    v_heads: int
    k_dim: int
    v_dim: int
    kernel: int
    state_bytes: int = 2


class Experts(Struct, frozen=True, kw_only=True):
    """A mixture of experts; ``bytes`` is what all of them take in the file."""

    experts: int
    used: int
    intermediate: int
    bytes: int = 0


class Mtp(Struct, frozen=True, kw_only=True):
    """Layers that predict further tokens, which are loaded for speculation alone."""

    layers: int
    bytes: int = 0


class Bytes(Struct, frozen=True, kw_only=True):
    """What the weights take in the file. ``language`` is all but the vision tower, and has ``embeddings`` in it."""

    language: int
    vision: int = 0
    embeddings: int = 0
    output: int = 0  # a layer of its own behind the last; 0 where the embeddings are used twice
    layers: tuple[int, ...] = ()  # of each layer, where that is known; they decide a split by layers

    @property
    def total(self) -> int:
        """All of it."""
        return self.language + self.vision


class Quantization(Struct, frozen=True, kw_only=True):
    """How the weights were made smaller."""

    method: str
    block: tuple[int, ...] = ()
    cache: str = ""  # the tool and the type that a cache was calibrated for: ``modelopt:fp8``


class ModelFacts(Struct, frozen=True, kw_only=True):
    """A model, as a table of TOML has it. ``layers`` spells its layers in their order: ``LLLF*10``, ``F*3 M*58``.

    ``unknown`` says why its cache cannot be computed; then ``layers`` is how many there are, as full attention, and the
    cache of these is a bound from above.
    """

    architecture: str
    layers: str
    commit: str | None = None
    attention: Attention | None = None
    sliding: Attention | None = None
    mla: Latent | None = None
    linear: Linear | None = None
    kv_heads: tuple[int, ...] = ()  # of each layer, where they differ
    moe: Experts | None = None
    mtp: Mtp | None = None
    hidden: int = 0
    intermediate: int = 0
    heads: int = 0
    max_context: int | None = None
    vocabulary: int = 0
    bytes: Bytes = Bytes(language=0)
    dtypes: Mapping[str, int] = {}
    dtype: str = "bfloat16"  # that it is computed in
    quantization: Quantization | None = None
    format: Literal["safetensors", "gguf"] = "safetensors"
    unknown: str = ""

    @property
    def pattern(self) -> str:
        """The kind of each layer, in order."""
        return "".join(kinds * int(times or 1) for kinds, times in _REPEATED.findall(self.layers))

    def count(self, kind: LayerKind) -> int:
        """Return the number of layers of a kind."""
        return Counter(self.pattern)[kind]


Facts = Annotated[ModelFacts, Meta(title="facts of a model")]


def facts_from_table(table: Mapping[str, Any]) -> ModelFacts:
    """Return facts from a table of TOML, whose further keys are another reader's.

    Raises:
        msgspec.ValidationError: they are no facts.
    """
    return msgspec.convert(table, ModelFacts)


def facts_to_table(facts: ModelFacts) -> dict[str, Any]:
    """Return facts as a table of TOML, without what is not known or usual."""
    return _without_defaults(facts)


def _without_defaults(value: Struct) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for field in msgspec.structs.fields(value):
        item = getattr(value, field.name)
        if item is None or (field.default is not msgspec.NODEFAULT and item == field.default) or item == {}:
            continue
        table[field.name] = _without_defaults(item) if isinstance(item, Struct) else _plain(item)
    return table


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def spell_layers(pattern: str) -> str:
    """Return a pattern with what repeats written once: ``LLLFLLLF`` is ``LLLF*2``."""
    for size in range(1, len(pattern) // 2 + 1):
        times, rest = divmod(len(pattern), size)
        unit = pattern[:size]
        if rest == 0 and unit * times == pattern:
            return f"{unit}*{times}"
    return _runs(pattern)


def _runs(pattern: str) -> str:
    """Return a pattern run by run: ``F*3 M*58``."""
    runs = [match[0] for match in re.finditer(r"([A-Z])\1*", pattern)]
    return " ".join(f"{run[0]}*{len(run)}" if len(run) > 1 else run for run in runs)
