"""Engines that take a share of the GPU, and make cache of all that the weights leave of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec.structs import replace

from anvil_gen.catalog.engine_memory import Interval
from anvil_gen.fit.block_cache import BlockCache, block_cache
from anvil_gen.fit.estimate import (
    Case,
    Estimate,
    Verdict,
    exactly,
    gib,
    largest_context,
    over,
    overhead_of,
    verdict_of,
)
from anvil_gen.fit.pool_cache import pool_beside_states, pool_cache
from anvil_gen.fit.settings import GIB, Settings, settings_of
from anvil_gen.fit.weights import NOT_THERE, Weights, weights_on_gpu

_MIB = 1 << 20
_OF_FIXED_SIZE = 16384
"""Tokens of full attention that an unknown architecture may keep for each request besides: states, for instance."""


class Cache(Protocol):
    """What a model keeps of its requests; sizes in bytes, on one GPU."""

    @property
    def bytes_per_token(self) -> float:
        """What one more token of a long context takes."""

    def need(self, context: int) -> int:
        """Return what a request of so many tokens takes."""

    def tokens(self, memory: float, context: int) -> int:
        """Return the tokens that it holds."""

    def concurrency(self, memory: float, context: int) -> float:
        """Return how many requests of so many tokens it holds."""


def estimate_share(case: Case) -> Estimate:
    """Return what a model takes, and whether one request of the whole context fits into the cache."""
    settings = settings_of(case.request, case.facts, case.rules, case.memory / GIB)
    weights, overhead, share = (
        weights_on_gpu(case.facts, settings, case.rules),
        overhead_of(case, settings),
        _share(case),
    )
    cache, least = _caches(case, settings)
    left = Interval(
        low=max(0.0, share.low * case.memory - weights.high - overhead.high),
        high=max(0.0, share.high * case.memory - weights.low - overhead.low),
    )
    kv = exactly(case.kv) if case.kv is not None else pool_beside_states(left, case.facts, settings, case.rules)
    context, is_known = settings.context, not case.facts.unknown
    most = cache.need(context if is_known else context + _OF_FIXED_SIZE)
    need = Interval(low=least.need(context) if is_known else 0, high=most)
    verdict: Verdict = "does not fit" if kv.high <= 0 else verdict_of(need, kv)
    doubts = tuple(_doubts(case, settings, cache, kv, share))
    if verdict == "fits" and doubts:
        verdict = "unsure"
    return Estimate(
        memory=case.memory,
        weights=weights,
        overhead=overhead,
        kv=kv,
        total=over(share, lambda part: part * case.memory),
        host=exactly(0),
        context=context,
        bytes_per_token=cache.bytes_per_token if is_known else None,
        tokens=_between(kv, cache.tokens, least.tokens, context) if is_known else None,
        concurrency=_between(kv, cache.concurrency, least.concurrency, context) if is_known else None,
        max_context=Interval(low=_longest(cache, kv.low, case), high=_longest(least, kv.high, case))
        if is_known
        else None,
        verdict=verdict,
        reasons=(
            *_remarks(case, settings, share),
            *_no_room(weights, overhead, share.high * case.memory, kv),
            *_reasons(verdict_of(need, kv), need, kv),
            *doubts,
        ),
    )


def _caches(case: Case, settings: Settings) -> tuple[Cache, Cache]:
    """Return the cache of a model with its draft, as large as it may be and as it is at least.

    In pools, what predicts tokens has one of its own, beside the one whose memory is given.
    """
    if case.rules.cache == "blocks":
        blocks = block_cache(case.facts, settings, case.rules, case.draft)
        return blocks, blocks
    alone = pool_cache(case.facts, replace(settings, speculative_tokens=0), case.rules)
    return (alone if case.kv is not None else pool_cache(case.facts, settings, case.rules, case.draft)), alone


def _between(
    kv: Interval, low: Callable[[float, int], float], high: Callable[[float, int], float], context: int
) -> Interval:
    return Interval(low=low(kv.low, context), high=high(kv.high, context))


def _longest(cache: Cache, memory: float, case: Case) -> int:
    """Return the longest context of one request."""
    return largest_context(lambda length: cache.need(length) <= memory, case.facts)


def _share(case: Case) -> Interval:
    """Return the share of the GPU that an engine takes."""
    fraction = case.request.fraction if case.request.fraction is not None else case.rules.fraction
    if fraction is not None:
        return exactly(fraction)
    reserved = case.rules.reserved_mib or exactly(0)
    return Interval(
        low=max(0.0, 1 - reserved.high * _MIB / case.memory), high=max(0.0, 1 - reserved.low * _MIB / case.memory)
    )


def _remarks(case: Case, settings: Settings, share: Interval) -> Iterator[str]:
    """Yield what makes an answer wide."""
    if case.facts.unknown:
        yield case.facts.unknown
    if not case.facts.bytes.total and case.kv is None:
        yield NOT_THERE
    if share.low < share.high and case.kv is None:
        yield "the engine derives its own share of the GPU: with a stated share the answer is narrower"
    if not settings.context:
        yield "neither the model nor the request says how long a context is"


def _doubts(case: Case, settings: Settings, cache: Cache, kv: Interval, share: Interval) -> Iterator[str]:
    """Yield why an engine may refuse to start although its memory suffices."""
    longest = case.facts.max_context
    if longest is not None and settings.context > longest:
        yield f"the model ends at {longest:,} tokens: an engine refuses a longer context unless it is told how"
    if not settings.context or (case.facts.unknown and cache.need(settings.context) == 0):
        yield "what its cache takes is not known"
    if settings.speculative_tokens and case.facts.mtp is None and case.draft is None:
        yield "what predicts tokens ahead is no part of the model, and is not counted"
    rest = (1 - share.high) * case.memory
    if rest < case.rules.rest_gib * GIB:
        yield f"only {gib(rest)} are left outside of its share for activations and graphs"
    if not isinstance(cache, BlockCache):
        return
    if len(cache.groups) > 1 and not settings.has_known_layout:
        yield f"its layers are grouped in another way where the cache's layout is {case.request.layout}"
    if case.draft is not None and len(cache.groups) > 1:
        yield "a version groups the layers of a draft model with others than those that are counted"
    if cache.padded:
        yield "the pages of its kinds of layers do not divide each other: a version pads them, or refuses the model"
    if cache.has_states and cache.blocks(kv.low) < settings.max_sequences:
        yield (
            f"each of {settings.max_sequences} sequences needs a state, and {cache.blocks(kv.low)} blocks are certain: "
            "a version refuses that, with a smaller max_sequences it starts"
        )


def _no_room(weights: Weights, overhead: Interval, share: float, kv: Interval) -> Iterator[str]:
    if kv.high <= 0:
        taken = f"{gib(weights.low)} and {gib(overhead.low)} of {gib(share)}"
        yield f"weights and overhead take all of the engine's share: {taken} at least"


def _reasons(verdict: Verdict, need: Interval, kv: Interval) -> Iterator[str]:
    if kv.high <= 0:
        return
    if verdict == "does not fit":
        yield f"one request of the whole context takes {gib(need.low)} of cache, and at most {gib(kv.high)} are left"
    elif verdict == "unsure":
        needed = gib(need.high) if need.low == need.high else f"up to {gib(need.high)}"
        yield f"one request of the whole context takes {needed} of cache; {gib(kv.low)} to {gib(kv.high)} are left"
