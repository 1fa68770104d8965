"""A model at a place of a host, with the context and the cache that serve best there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.engine import Engine
from anvil_gen.fit.estimate import Case, Estimate, Verdict
from anvil_gen.fit.host_suggest import refused_types
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.places import Placed

USUAL = 32768
"""A context that is enough for most, and that a GPU should take if another one does."""
LEAST = 8192
_CAP = 262144
_CONTEXTS = tuple(part * size for size in (1 << exponent for exponent in range(18, 9, -1)) for part in (4, 3))
"""Contexts as people write them, from 2^20 down; 3 * 2^n between the powers."""
_SEVERAL = 2
"""Requests of the whole context for which there should be room."""
_PLENTY = 32
"""Requests of the whole context beyond which a model needs no more of a GPU."""
_PARTS = 20
_MANY = 256
"""Sequences that are enough for any host of its own."""
_SEQUENCES: tuple[int | None, ...] = (None, _MANY)
_FEW_SEQUENCES = (*_SEQUENCES, 64, 16)
_RANK: Mapping[Verdict, int] = {"fits": 0, "unsure": 1, "does not fit": 2}


class Setup(Struct, frozen=True, kw_only=True):
    """A model at a place with its settings; ``requests`` of the whole context have room for certain."""

    placed: Placed | None  # None on the processor
    context: int | None
    kv_dtype: str | None
    max_sequences: int | None
    estimate: Estimate | None

    @property
    def verdict(self) -> Verdict:
        """Whether it fits."""
        return self.estimate.verdict if self.estimate is not None else "unsure"

    @property
    def has_states(self) -> bool:
        """Whether each sequence keeps a state."""
        return self.placed is not None and "L" in self.placed.case.facts.pattern


def best_setup(setups: Iterable[Setup], target: int) -> Setup:
    """Return the best of several places, for a context that is long enough."""
    return min(setups, key=lambda setup: _order(setup, target))


def _order(setup: Setup, target: int) -> tuple[Any, ...]:
    """Return by what places are ordered, the best first."""
    place = setup.placed.place if setup.placed is not None else None
    context = setup.context or 0
    enough = context >= target
    return (
        _RANK[setup.verdict],
        0 if enough else 1 if context >= LEAST else 2,
        len(place.gpus) if place is not None else 0,
        0 if enough else -context,
        bool(place.beside) if place is not None else False,
        place.memory if place is not None else 0,
    )


def setup_at(placed: Placed, engine: Engine, asked: int | None) -> Setup:
    """Return the settings with which a model serves best at a place; ``asked`` is a context that is asked for."""
    rules, refused = placed.case.rules, refused_types(engine, placed.place.gpus)
    own = None if placed.case.request.kv_dtype in refused else placed.case.request.kv_dtype
    types = [own, *(name for name in rules.tried_dtypes[1:2] if name not in refused and own is None)]
    counts = _FEW_SEQUENCES if "L" in placed.case.facts.pattern else _SEQUENCES
    sequences = counts if rules.cache == "blocks" else (None,)
    found = [_with(placed, asked, kv_dtype, number) for kv_dtype in types for number in sequences]
    best = found[0]
    for setup in found[1:]:
        is_smaller = setup.kv_dtype != best.kv_dtype and asked is None
        if _opens(best, setup, placed) if is_smaller else _gains(best, setup):
            best = setup
    return best


def _opens(best: Setup, other: Setup, placed: Placed) -> bool:
    """Tell whether a smaller type of the cache makes a context possible that is of use; a shorter one costs less."""
    least = min(LEAST, placed.case.facts.max_context or LEAST)
    without = 0 if best.verdict == "does not fit" else best.context or 0
    return other.verdict != "does not fit" and without < least <= (other.context or 0)


def _gains(best: Setup, other: Setup) -> bool:
    """Tell whether other settings are worth what they cost."""
    if _RANK[other.verdict] != _RANK[best.verdict]:
        return _RANK[other.verdict] < _RANK[best.verdict]
    had, has = best.context or 0, other.context or 0
    costs_nothing = other.max_sequences == _MANY and has >= 1.5 * had
    return costs_nothing or len(_reasons(other)) < len(_reasons(best))


def _reasons(setup: Setup) -> tuple[str, ...]:
    return setup.estimate.reasons if setup.estimate is not None else ()


def with_less(setup: Setup) -> Setup:
    """Return a setup that leaves what it has no use for: a share of the GPU that holds plenty of requests."""
    placed, found = setup.placed, setup.estimate
    if placed is None or found is None or placed.case.rules.takes != "share":
        return setup
    if found.verdict != "fits" or found.concurrency is None or found.concurrency.low <= 2 * _PLENTY:
        return setup
    fields = {"kv_dtype": setup.kv_dtype, "max_sequences": setup.max_sequences, "context": setup.context}
    request = replace(placed.case.request, parallel=setup.max_sequences, **fields)
    for part in range(1, int((placed.share or 1) * _PARTS)):
        case = replace(placed.case, request=replace(request, fraction=part / _PARTS))
        less = estimate(case)
        if less.verdict == "fits" and less.concurrency is not None and less.concurrency.low >= _PLENTY:
            return replace(setup, placed=replace(placed, share=part / _PARTS, case=case), estimate=less)
    return setup


def _with(placed: Placed, asked: int | None, kv_dtype: str | None, max_sequences: int | None) -> Setup:
    request = replace(placed.case.request, kv_dtype=kv_dtype, max_sequences=max_sequences, parallel=max_sequences)
    case = replace(placed.case, request=request)
    context = asked or _context(case)
    found = estimate(replace(case, request=replace(request, context=context)))
    return Setup(placed=placed, context=context, kv_dtype=kv_dtype, max_sequences=max_sequences, estimate=found)


def _context(case: Case) -> int | None:
    """Return the largest context that several requests have room for; else a usual one that is certain, or likely."""
    if case.rules.cache == "none":
        return None
    own = case.facts.max_context or USUAL
    lengths = [length for length in sorted({own, *_CONTEXTS}, reverse=True) if length <= min(own, _CAP)]
    found = {length: _at(case, length) for length in lengths}
    certain = [length for length in lengths if found[length].verdict == "fits"]
    unsure = [length for length in lengths if found[length].verdict == "unsure"]
    likely = [length for length in unsure if _is_likely(case, found[length])] or unsure
    several = [length for length in certain if length >= min(own, USUAL) and _holds_two(case, found[length])]
    usual = [length for length in (*certain, *likely) if length <= USUAL]
    return next(iter((*several, *usual)), min(own, LEAST))


def _holds_two(case: Case, found: Estimate) -> bool:
    """Tell whether there is room for a second request; an engine without a share has it where the context is split."""
    return case.rules.takes != "share" or (found.concurrency is not None and found.concurrency.low >= _SEVERAL)


def _is_likely(case: Case, found: Estimate) -> bool:
    """Tell whether a request fits in the middle of what is possible."""
    if case.rules.takes == "share" and found.concurrency is not None:
        return found.concurrency.low + found.concurrency.high >= 2
    return found.total.low + found.total.high <= 2 * found.memory


def _at(case: Case, context: int) -> Estimate:
    return estimate(replace(case, request=replace(case.request, context=context)))
