"""What makes a model fit: a type of the cache, a shorter context, fewer sequences; and what each type would hold."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.fit.estimate import Case, Estimate
from anvil_gen.fit.ledger import estimate

_FEWER = (64, 16, 4, 1)
_ROUND, _SMALL = 1024, 4096
_HALF = 2.0
"""Bytes of an element of a cache in the type of the model."""


class Choice(Struct, frozen=True, kw_only=True):
    """A model as it would run; None where a setting is left as it is."""

    kv_dtype: str | None
    context: int | None
    max_sequences: int | None
    estimate: Estimate

    @property
    def changes(self) -> dict[str, str | int]:
        """What is different, by the field of a tier."""
        fields = {
            "context_length": self.context,
            "max_sequences": self.max_sequences,
            "kv_cache_dtype": self.kv_dtype,
        }
        return {name: value for name, value in fields.items() if value is not None}


class Suggestion(Struct, frozen=True, kw_only=True):
    """What each type of the cache holds with the settings at hand, and changes of which each makes the model fit."""

    types: tuple[Choice, ...]
    fixes: tuple[Choice, ...]


def suggest(case: Case, refused: frozenset[str] = frozenset()) -> Suggestion:
    """Return what makes a model fit; ``refused`` are types of the cache that its GPUs do not take."""
    types = tuple(_with(case, kv_dtype=name) for name in _types(case, refused))
    if _with(case).estimate.verdict == "fits":
        return Suggestion(types=types, fixes=())
    found: list[Choice] = []
    for choice in (None, *(one.kv_dtype for one in types[1:])):
        found += _fixes(case, choice)
        if any(not one.context and not one.max_sequences for one in found):
            break  # a still smaller cache gives nothing more
    # What takes away more than another one without giving anything for it is left out.
    return Suggestion(
        types=types, fixes=tuple(one for one in found if not any(_is_better(other, one) for other in found))
    )


def _types(case: Case, refused: frozenset[str]) -> Iterator[str]:
    """Yield the type of the cache at hand, and those that are smaller."""
    sizes, asked = case.rules.kv_dtypes, (case.request.kv_dtype or "auto").lower()
    if asked in sizes:
        yield asked
        at_hand = sizes[asked] or _HALF
        yield from (name for name in case.rules.tried_dtypes if name not in refused and 0 < sizes[name] < at_hand)


def _fixes(case: Case, kv_dtype: str | None) -> Iterator[Choice]:
    """Yield with a type of the cache: the whole context, with fewer sequences if needed; else the longest that fits."""
    whole = _with(case, kv_dtype=kv_dtype)
    if whole.estimate.verdict == "fits":
        yield whole
        return
    for sequences in (None, *(number for number in _FEWER if number < (case.request.max_sequences or 1 << 30))):
        choice = _with(case, kv_dtype=kv_dtype, max_sequences=sequences)
        if choice.estimate.verdict == "fits":
            yield choice
            return
        shorter = _shorter(case, choice)
        if shorter is not None:
            yield shorter


def _shorter(case: Case, choice: Choice) -> Choice | None:
    """Return a choice with the longest context that certainly fits; None where none does."""
    longest = choice.estimate.max_context
    context = _rounded(int(longest.low)) if longest is not None else 0
    if not context or context >= choice.estimate.context:
        return None
    shorter = _with(case, kv_dtype=choice.kv_dtype, max_sequences=choice.max_sequences, context=context)
    return shorter if shorter.estimate.verdict == "fits" else None


def _rounded(context: int) -> int:
    """Return a context as a person would write it."""
    return context if context < _SMALL else context // _ROUND * _ROUND


def _is_better(one: Choice, other: Choice) -> bool:
    """Tell whether one changes no more than the other, and keeps at least as long a context."""
    kept = (one.context or one.estimate.context) >= (other.context or other.estimate.context)
    less = one.changes.keys() <= other.changes.keys() and one != other
    return (
        kept and less and (one.changes.keys() < other.changes.keys() or one.estimate.context > other.estimate.context)
    )


def _with(
    case: Case, *, kv_dtype: str | None = None, context: int | None = None, max_sequences: int | None = None
) -> Choice:
    """Return a case with some settings replaced."""
    request = replace(
        case.request,
        kv_dtype=kv_dtype or case.request.kv_dtype,
        kv_dtype_v=None if kv_dtype else case.request.kv_dtype_v,
        context=context or case.request.context,
        max_sequences=max_sequences or case.request.max_sequences,
        parallel=max_sequences or case.request.parallel,
    )
    return Choice(
        kv_dtype=kv_dtype,
        context=context,
        max_sequences=max_sequences,
        estimate=estimate(replace(case, request=request)),
    )
