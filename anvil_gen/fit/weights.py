"""What the weights of a model take on one GPU, as an engine loads them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from anvil_gen.catalog.engine_memory import EngineMemory, Padding
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import Settings

_MUCH_SINGLE_PRECISION = 0.2
"""From this share on, single precision is that of the model, and not of scales and gates."""
_UNEVEN = 0.02
"""What is not divided between GPUs: norms, gates, and heads that are fewer than the GPUs."""

NO_LIMIT = 1 << 60
"""More than any GPU has."""
NOT_THERE = "its weights are not there: what they take is not known"


class Weights(Struct, frozen=True, kw_only=True):
    """Bytes on one GPU: what is expected, and between what it lies; ``expected`` is None where nothing is known."""

    expected: int | None
    low: int
    high: int


def weights_on_gpu(facts: ModelFacts, settings: Settings, rules: EngineMemory) -> Weights:
    """Return what a model's weights take on each of its GPUs."""
    if not facts.bytes.total:
        return Weights(expected=None, low=0, high=NO_LIMIT)
    loaded = _loaded(facts, settings, rules)
    padded = loaded + _padding(facts, rules.padding)
    factor = rules.weights.get(_method(facts), rules.weights["other"])
    gpus = settings.tensor_parallel * settings.pipeline_parallel
    uneven = 1 + (_UNEVEN if gpus > 1 else 0.0)
    edge = max(facts.bytes.embeddings, facts.bytes.output) if settings.pipeline_parallel > 1 else 0
    return Weights(
        expected=round(padded / gpus),
        low=round(min(loaded, padded) * factor.low / gpus),
        high=round(padded * factor.high * uneven / gpus + edge / settings.tensor_parallel),
    )


def _loaded(facts: ModelFacts, settings: Settings, rules: EngineMemory) -> int:
    """Return the bytes of the file that are loaded."""
    loaded = facts.bytes.language + (0 if settings.language_only else facts.bytes.vision)
    if facts.mtp is not None and not settings.speculative_tokens:
        loaded -= facts.mtp.bytes
    single = facts.dtypes.get("F32", 0)
    if rules.half_precision and single > _MUCH_SINGLE_PRECISION * facts.bytes.total:
        loaded -= single // 2
    return loaded


def _method(facts: ModelFacts) -> str:
    return "none" if facts.quantization is None else facts.quantization.method


def _padding(facts: ModelFacts, known: Mapping[str, Padding]) -> int:
    """Return what experts grow by where an engine rounds the sides of their matrices up."""
    padding = known.get(_method(facts))
    if padding is None or facts.moe is None or not facts.hidden:
        return 0
    rows = _up(facts.moe.intermediate, padding.intermediate) * _up(facts.hidden, padding.hidden)
    return round(facts.moe.bytes * (rows / (facts.moe.intermediate * facts.hidden) - 1))


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
