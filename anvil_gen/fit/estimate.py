"""What an estimate is of, and what it says.

A number stands where arithmetic decides, an interval where it does not, and "unsure" where the need lies inside of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from anvil_gen.catalog.engine_memory import EngineMemory, Interval
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import GIB, Request, Settings
from anvil_gen.fit.weights import Weights

Verdict = Literal["fits", "unsure", "does not fit"]
USUAL_BATCH = 8192
"""Tokens of a batch up to which the overhead of an engine that takes a share was measured."""
USUAL_SEQUENCES = 256
_LONGEST_CONTEXT = 1 << 24


class Case(Struct, frozen=True, kw_only=True):
    """A model, how it is asked for, the rules of its engine, and the bytes of each GPU; without a GPU, of the host.

    ``kv`` is the cache's memory where it is given; ``extra`` is what else is on each GPU; ``draft`` a small model that
    predicts tokens, whose layers keep them in the same cache.
    """

    facts: ModelFacts
    request: Request
    rules: EngineMemory
    memory: int
    kv: int | None = None
    has_gpu: bool = True
    extra: Interval = Interval(low=0.0, high=0.0)
    draft: ModelFacts | None = None


class Estimate(Struct, frozen=True, kw_only=True):
    """A model on its GPUs; bytes on each. What is None cannot be computed, and ``reasons`` say why."""

    memory: int
    weights: Weights
    overhead: Interval
    kv: Interval
    total: Interval  # what it takes of the GPU
    host: Interval  # what it takes of the host's memory
    context: int
    bytes_per_token: float | None
    tokens: Interval | None
    concurrency: Interval | None
    max_context: Interval | None
    verdict: Verdict
    reasons: tuple[str, ...]


def overhead_of(case: Case, settings: Settings) -> Interval:
    """Return what a GPU needs besides weights and cache, in bytes."""
    rules, facts = case.rules, case.facts
    values = (facts.hidden + facts.intermediate // settings.tensor_parallel) * 2
    beyond = settings.max_batched_tokens - (USUAL_BATCH if rules.takes == "share" else 0)
    batch = max(0, beyond) * values
    results = max(0, settings.max_sequences - USUAL_SEQUENCES) * facts.vocabulary * 4
    sees = 1 if facts.bytes.vision and not settings.language_only else 0
    ranks = 1 if settings.tensor_parallel * settings.pipeline_parallel > 1 else 0
    unified = rules.unified_gib
    shares = 1 if unified is not None and unified.low <= case.memory / GIB <= unified.high else 0
    fixed = rules.overhead_gib if case.has_gpu else Interval(low=0, high=0)
    terms = [
        (GIB, fixed),
        (ranks * GIB, rules.rank_overhead_gib),
        (shares * GIB, rules.unified_overhead_gib),
        (sees * GIB, rules.vision_overhead_gib),
        (batch, rules.batch_overhead),
        (results, rules.result_copies),
        (1, case.extra),
    ]
    return Interval(
        low=sum(unit * term.low for unit, term in terms), high=sum(unit * term.high for unit, term in terms)
    )


def exactly(number: float) -> Interval:
    """Return an interval of one number."""
    return Interval(low=number, high=number)


def over(interval: Interval, function: Callable[[float], float]) -> Interval:
    """Return what a rising function makes of an interval."""
    return Interval(low=function(interval.low), high=function(interval.high))


def verdict_of(need: Interval, room: Interval) -> Verdict:
    """Return whether what is needed fits into what there is."""
    if need.high <= room.low:
        return "fits"
    return "does not fit" if need.low > room.high else "unsure"


def largest_context(fits: Callable[[int], bool], facts: ModelFacts, multiple: int = 1) -> int:
    """Return the longest context that fits, no longer than the model's own; 0 where none does."""
    low, high = 0, (facts.max_context or _LONGEST_CONTEXT) // multiple
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * multiple) else (low, middle - 1)
    return low * multiple


def gib(amount: float) -> str:
    """Return bytes for people."""
    return f"{amount / GIB:.2f} GiB"
