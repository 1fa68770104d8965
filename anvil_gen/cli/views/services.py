"""Services: what `up` did, and what `status` found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from anvil_gen.cli.views.changes import change_json
from anvil_gen.cli.views.diagnostics import diagnostic_json, diagnostic_text
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.cli.views.service_lines import Entry, changed_lines, entry_lines
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.machine.containers import moment
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.service_results import Result, ServiceAction

if TYPE_CHECKING:
    from anvil_gen.operate.status import Row, Status

_COLOURS = {"running": "green", "healthy": "green", "starting": "yellow", "unhealthy": "red", "restarting": "red"}
_WORDS = {ServiceAction.MISSING: "has no container", ServiceAction.NOT_STARTED: "not started"}
_HEAD = ("tier", "service", "state", "health", "model", "gpus", "requests", "up", "port", "drift")


def show_results(
    host: str,
    results: Sequence[Result],
    diagnostics: Sequence[Diagnostic] = (),
    *,
    as_json: bool,
    tell: Callable[..., None] | None = None,
) -> None:
    """Print what a command did to each service and why; JSON, with the causes of a failure, or given to ``tell``."""
    if as_json:
        (tell or print_json)(
            host=host,
            services=[result_json(result) for result in results],
            diagnostics=[diagnostic_json(diagnostic) for diagnostic in diagnostics],
        )
        return
    show_entries(map(result_entry, results))


def show_entries(entries: Iterable[Entry]) -> None:
    """Print what happens to services, or has happened."""
    for line in entry_lines([*entries]):
        click.echo(line)


def result_entry(result: Result) -> Entry:
    """Return what was done to a service."""
    consequence = result.action.consequence
    return Entry(
        service=result.service,
        consequence=consequence,
        word=_WORDS.get(result.action, "") if consequence is None else consequence.wording.done,
        note=result.reason,
        lines=tuple(changed_lines(result.changes)),
    )


def result_json(result: Result) -> dict[str, Any]:
    """Return what happened to a service as JSON."""
    return {
        "service": result.service,
        "action": result.action.value,
        "container": result.container,
        "reason": result.reason,
        "changes": [change_json(change) for change in result.changes],
    }


def show_status(status: Status, *, as_json: bool) -> None:
    """Print what runs: the mode where there are several, a table, then each drift with its fix."""
    if as_json:
        print_json(**status_json(status))
        return
    now = datetime.now(UTC)
    if len(status.modes) > 1:
        click.echo(f"mode: {status.mode}\n")
    print_table([_HEAD, *(_cells(row, now) for row in status.rows)])
    if status.stale is not None:
        click.echo(f"\n{diagnostic_text(status.stale).rstrip()}")
    for row in status.rows:
        for drift in row.drift:
            show_drift(row.service, drift)


def show_drift(service: str, drift: Drift) -> None:
    """Print one drift of a service, what the next `up` does about it, and its fix."""
    click.echo()
    show_entries([_drift_entry(service, drift)])
    if drift.remedy:
        click.echo(f"\n    {drift.remedy}")


def _drift_entry(service: str, drift: Drift) -> Entry:
    """Return what the next `up` does to a service; what it cannot mend has no word, and the detail stands alone."""
    known = drift.consequence
    word, note = (drift.detail, "") if known is None else (known.value, drift.detail)
    return Entry(service=service, consequence=known, word=word, note=note, lines=tuple(changed_lines(drift.changes)))


def _cells(row: Row, now: datetime) -> tuple[str, ...]:
    return (
        row.tier,
        row.service,
        row.state,
        row.health or "-",
        _model(row),
        ", ".join(row.gpu_memory or row.gpus) or "-",
        _requests(row),
        uptime(row.started_at, now),
        ", ".join(row.ports) or "-",
        ", ".join(dict.fromkeys(drift.kind for drift in row.drift)) or "-",
    )


def _requests(row: Row) -> str:
    """Return how many requests run and wait; a dash where the engine does not tell."""
    known = [(row.requests_running, "running"), (row.requests_waiting, "waiting")]
    return ", ".join(f"{number} {word}" for number, word in known if number is not None) or "-"


def _model(row: Row) -> str:
    if row.models:
        return ", ".join(row.models)
    return f"({row.served_name})" if row.served_name else "-"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a head; columns behind the third are left out where none says anything."""
    used = [place for place in range(len(rows[0])) if place < 3 or any(row[place] != "-" for row in rows[1:])]
    widths = {place: max(len(row[place]) for row in rows) for place in used}
    for number, row in enumerate(rows):
        cells = ((row[place], " " * (widths[place] - len(row[place]))) for place in used)
        coloured = [click.style(cell, fg=_COLOURS.get(cell), bold=number == 0) + blanks for cell, blanks in cells]
        click.echo("  ".join(coloured).rstrip())


def uptime(started_at: str, now: datetime) -> str:
    """Return how long something has run, in its largest unit; a dash where it does not."""
    if not started_at:
        return "-"
    seconds = max(0, int((now - moment(started_at)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def status_json(status: Status) -> dict[str, Any]:
    """Return a status as JSON."""
    return {
        "host": status.host,
        "project": status.project,
        "mode": status.mode,
        "stale": None if status.stale is None else diagnostic_json(status.stale),
        "services": [_row_json(row) for row in status.rows],
    }


def _row_json(row: Row) -> dict[str, Any]:
    names = {name: "cards" if name == "gpus" else name for name in row.__struct_fields__}
    plain = {key: getattr(row, name) for name, key in names.items() if name != "drift"}
    return {**plain, "drift": [drift_json(drift) for drift in row.drift]}


def drift_json(drift: Drift) -> dict[str, Any]:
    """Return a drift as JSON."""
    return {
        "kind": drift.kind,
        "detail": drift.detail,
        "remedy": drift.remedy,
        "changes": [change_json(change) for change in drift.changes],
    }
