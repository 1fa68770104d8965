"""Engines that take what they need: weights, the cache of the whole context, and the buffers of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from anvil_gen.catalog.engine_memory import Interval
from anvil_gen.fit.estimate import (
    Case,
    Estimate,
    exactly,
    gib,
    largest_context,
    overhead_of,
    verdict_of,
)
from anvil_gen.fit.settings import GIB, Settings, settings_of
from anvil_gen.fit.slot_cache import SlotCache, place_layers
from anvil_gen.fit.weights import NO_LIMIT, NOT_THERE, Weights, weights_on_gpu


class Need(Struct, frozen=True, kw_only=True):
    """What a model takes with a context: bytes on each GPU, and in the host's memory."""

    weights: Weights
    kv: float
    overhead: Interval
    uneven: float  # by which a GPU may have more than its part
    host: Interval

    @property
    def total(self) -> Interval:
        """What it takes of a GPU."""
        return Interval(
            low=self.weights.low + self.kv + self.overhead.low,
            high=self.weights.high + self.kv + self.overhead.high + self.uneven,
        )


def estimate_need(case: Case) -> Estimate:
    """Return what a model takes, and whether that fits."""
    facts = case.facts
    settings = settings_of(case.request, facts, case.rules, case.memory / GIB)
    cache = SlotCache(facts=facts, settings=settings, rules=case.rules) if case.rules.cache == "slots" else None
    limit = case.memory * (1.0 if case.request.fraction is None else case.request.fraction)
    context, is_known = settings.context, not facts.unknown or cache is None
    need = _need(case, settings, cache, context)
    kv = Interval(low=need.kv if is_known else 0, high=need.kv)
    if case.kv is not None:
        kv = exactly(case.kv)
    total = Interval(low=need.total.low - need.kv + kv.low, high=need.total.high - need.kv + kv.high)
    verdict = verdict_of(total, exactly(limit))
    return Estimate(
        memory=case.memory,
        weights=need.weights,
        overhead=need.overhead,
        kv=kv,
        total=total,
        host=need.host,
        context=context,
        bytes_per_token=(cache.bytes_per_token if cache is not None else 0.0) if is_known else None,
        tokens=exactly(cache.tokens(kv.high, context) if cache is not None else 0) if is_known else None,
        concurrency=exactly(cache.concurrency(kv.high, context) if cache is not None else 0) if is_known else None,
        max_context=_max_context(case, settings, cache, limit) if is_known else None,
        verdict=verdict,
        reasons=tuple(_reasons(case, settings, cache, total, limit)),
    )


def _max_context(case: Case, settings: Settings, cache: SlotCache | None, limit: float) -> Interval:
    multiple = case.rules.context_multiple

    def fits(context: int) -> bool:
        return _need(case, settings, cache, context).total.high <= limit

    def may_fit(context: int) -> bool:
        return _need(case, settings, cache, context).total.low <= limit

    return Interval(
        low=largest_context(fits, case.facts, multiple), high=largest_context(may_fit, case.facts, multiple)
    )


def _need(case: Case, settings: Settings, cache: SlotCache | None, context: int) -> Need:
    overhead = overhead_of(case, settings)
    if cache is None:
        weights = weights_on_gpu(case.facts, settings, case.rules)
        return Need(weights=weights, kv=0, overhead=overhead, uneven=0, host=exactly(0))
    compute = cache.compute(context)
    buffers = Interval(low=overhead.low + compute.low, high=overhead.high + compute.high)
    factor = case.rules.weights["other"]
    if not case.has_gpu or settings.n_gpu_layers == 0:
        return _on_host(case, cache, context, buffers)
    placement = place_layers(case.facts, cache, context, settings.n_gpu_layers)
    gpus = settings.tensor_parallel
    host = placement.host_weights + placement.host_cache + cache.output()
    size = placement.weights + (0 if settings.language_only else case.facts.bytes.vision)
    weights = Weights(expected=size // gpus, low=round(size * factor.low / gpus), high=round(size * factor.high / gpus))
    if not case.facts.bytes.total:
        weights = Weights(expected=None, low=0, high=NO_LIMIT)
    uneven = placement.largest_layer if gpus > 1 else 0
    return Need(
        weights=weights,
        kv=placement.cache / gpus,
        overhead=buffers,
        uneven=uneven,
        host=Interval(low=host, high=host + (compute.high if placement.host_cache else 0)),
    )


def _on_host(case: Case, cache: SlotCache, context: int, buffers: Interval) -> Need:
    """Return what a model takes that is on the processor alone."""
    size = case.facts.bytes.total
    weights = Weights(expected=size, low=size, high=size)
    kept, output = cache.need(context), cache.output()
    both = Interval(low=buffers.low + output, high=buffers.high + output)
    if case.has_gpu:  # and no layer on it: what it holds is the driver's
        nothing = Weights(expected=0, low=0, high=0)
        host = Interval(low=size + kept + both.low, high=size + kept + both.high)
        return Need(weights=nothing, kv=0, overhead=overhead_of(case, cache.settings), uneven=0, host=host)
    return Need(weights=weights, kv=kept, overhead=both, uneven=0, host=exactly(0))


def _reasons(case: Case, settings: Settings, cache: SlotCache | None, total: Interval, limit: float) -> Iterator[str]:
    if not case.facts.bytes.total:
        yield NOT_THERE
        return
    if case.facts.unknown and cache is not None:
        yield case.facts.unknown
    if not settings.context:
        yield "neither the model nor the request says how long a context is"
    if cache is not None and not settings.flash_attention and settings.value_bytes < 2:
        yield "a quantised cache of values needs flash attention"
    verdict = verdict_of(total, exactly(limit))
    if verdict == "does not fit":
        yield f"it takes at least {gib(total.low)}, and {gib(limit)} are there"
    elif verdict == "unsure":
        yield f"it takes {gib(total.low)} to {gib(total.high)}, and {gib(limit)} are there"
    if verdict != "fits" and case.has_gpu and None in (case.request.context, case.request.n_gpu_layers):
        yield from [case.rules.adapts] if case.rules.adapts else []
