"""What makes a model fit, and which GPUs take it: as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from anvil_gen.catalog.engine_memory import Interval
from anvil_gen.cli.views.fit import coloured, count, estimate_json, interval_text, show_case
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.diagnostics import join_words
from anvil_gen.fit.estimate import Case, Estimate
from anvil_gen.fit.host_suggest import PlaceFit, TierSuggestion
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.suggest import Choice, Suggestion


def show_suggestions(host: str, found: Sequence[TierSuggestion], *, as_json: bool) -> None:
    """Print what is suggested for the tiers of a host."""
    if as_json:
        print_json(host=host, suggestions=[suggestion_json(one) for one in found])
        return
    for one in found:
        click.secho(one.name, bold=True)
        show_suggestion(one.suggestion)
        for reason in one.reasons:
            click.echo(f"  {reason}")
        if one.places:
            click.echo("  GPUs that take it")
            _print_rows(list(map(_place_row, one.places)))
        click.echo()


def show_case_suggestion(
    model: str, engine: str, version: str | None, case: Case, suggestion: Suggestion, *, as_json: bool
) -> None:
    """Print one model on one kind of GPU, and what makes it fit."""
    result = estimate(case)
    if as_json:
        found = suggestion_json(TierSuggestion(name=model, suggestion=suggestion, places=()))
        numbers = {**estimate_json(result), "types": found["types"], "fixes": found["fixes"]}
        print_json(model=model, engine=engine, engine_version=version, **numbers)
        return
    show_case(model, engine, version, case, result, as_json=False)
    click.echo()
    show_suggestion(suggestion)


def show_suggestion(suggestion: Suggestion | None) -> None:
    """Print what the types of the cache hold, and what makes the model fit."""
    if suggestion is None:
        return
    if len(suggestion.types) > 1:
        click.echo("  by type of the cache")
        _print_rows([_type_row(choice) for choice in suggestion.types])
    for choice in suggestion.fixes:
        click.echo(f"  it fits with {join_words(_entries(choice))}")
    if not suggestion.fixes and suggestion.types and suggestion.types[0].estimate.verdict != "fits":
        click.echo("  no context makes it fit for certain: take a smaller quantisation, or more GPUs together")


def _type_row(choice: Choice) -> tuple[str, ...]:
    return (choice.kv_dtype or "", coloured(choice.estimate.verdict), *_holds(choice.estimate))


def _place_row(one: PlaceFit) -> tuple[str, ...]:
    name = " + ".join(one.place.names)
    if one.placed is None:
        return name, "-", one.place.blocked or "it cannot be divided between so many"
    beside = f"next to {join_words(one.place.beside)}" if one.place.beside else ""
    return name, coloured(one.placed.estimate.verdict), *_holds(one.placed.estimate), beside


def _holds(estimate: Estimate) -> Iterator[str]:
    """Yield the longest context, and how many requests of the one at hand there is room for."""
    longest, requests = estimate.max_context, estimate.concurrency
    yield f"context up to {interval_text(longest, count)}" if longest is not None and longest.high else ""
    yield (
        f"{interval_text(requests, lambda number: f'{number:.1f}')} requests of {estimate.context:,}"
        if requests is not None and requests.high and estimate.context
        else ""
    )


def _entries(choice: Choice) -> Iterator[str]:
    for name, value in choice.changes.items():
        yield f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"


def _print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(click.unstyle(row[at])) for row in rows if at < len(row)) for at in range(max(map(len, rows)))]
    for row in rows:
        cells = [cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=False)]
        click.echo(f"    {'  '.join(cells)}".rstrip())


def suggestion_json(one: TierSuggestion) -> dict[str, Any]:
    """Return a suggestion for programs."""
    suggestion = one.suggestion
    return {
        "name": one.name,
        "types": [] if suggestion is None else [_choice_json(choice) for choice in suggestion.types],
        "fixes": [] if suggestion is None else [_choice_json(choice) for choice in suggestion.fixes],
        "gpus": [_place_json(place) for place in one.places],
        "reasons": list(one.reasons),
    }


def _choice_json(choice: Choice) -> dict[str, Any]:
    return {"changes": choice.changes, **_estimate_json(choice.estimate)}


def _place_json(one: PlaceFit) -> dict[str, Any]:
    found = {"verdict": None} if one.placed is None else _estimate_json(one.placed.estimate)
    return {"gpus": list(one.place.names), "beside": list(one.place.beside), "reason": one.place.blocked, **found}


def _estimate_json(estimate: Estimate) -> dict[str, Any]:
    return {
        "verdict": estimate.verdict,
        "context": estimate.context,
        "max_context": _interval(estimate.max_context),
        "concurrency": _interval(estimate.concurrency),
    }


def _interval(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else {"low": round(interval.low, 4), "high": round(interval.high, 4)}
