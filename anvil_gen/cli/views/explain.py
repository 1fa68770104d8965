"""Where a value comes from: text and JSON."""

from __future__ import annotations

from typing import Any

import click

from anvil_gen.cli.views.changes import place_of
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.deploy.compose_diff import Cause
from anvil_gen.diagnostics import printable
from anvil_gen.review.explain import Explanation
from anvil_gen.review.toml_edits import value_text

_MOST_PLACES = 20


def show_explanation(found: Explanation, *, as_json: bool) -> None:
    """Print a value, then each of its causes, the nearest first."""
    if as_json:
        print_json(
            address=found.address,
            line=found.line,
            value=found.value if isinstance(found.value, str | int | bool | None) else _text(found.value),
            causes=[_cause_json(cause) for cause in found.causes],
            reaches=list(found.reaches),
        )
        return
    click.echo(f"{click.style(printable(found.address), bold=True)} = {_text(found.value)}")
    width = max((len(place_of(cause)) for cause in found.causes), default=0)
    for cause in found.causes:
        click.echo(f"  {place_of(cause):{width}}  {_what(cause)}".rstrip())
        if cause.why:
            click.echo(f"    {printable(cause.why)}")
    if found.reaches:
        click.echo("  what follows from it:")
    for place in found.reaches[:_MOST_PLACES]:
        click.echo(f"    {printable(place)}")
    if len(found.reaches) > _MOST_PLACES:
        click.echo(f"    … ({len(found.reaches)} in all)")


def _what(cause: Cause) -> str:
    return f"{cause.key} = {_text(cause.after)}" if cause.after is not None else cause.key


def _text(value: Any) -> str:
    return "(not set)" if value is None else printable(value_text(value))


def _cause_json(cause: Cause) -> dict[str, Any]:
    return {"file": cause.file, "line": cause.line, "key": cause.key, "reason": cause.why}
