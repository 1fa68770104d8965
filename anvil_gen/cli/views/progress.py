"""Progress of services: redrawn in place on a terminal, otherwise a line for each change; and the outcome."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click

from anvil_gen.catalog.log_patterns import Cause
from anvil_gen.cli.views.diagnostics import diagnostic_json
from anvil_gen.cli.views.services import result_json
from anvil_gen.diagnostics import Diagnostic, printable
from anvil_gen.operate.readiness import Phase, Progress, duration, relevant_lines, shown_causes
from anvil_gen.operate.service_results import Result
from anvil_gen.operate.wait import Waited

_COLOURS = {Phase.WAITING: "yellow", Phase.READY: "green", Phase.FAILED: "red"}
_UP, _CLEAR = "\x1b[{}F", "\x1b[J"


class ProgressDisplay:
    """The progress of services on stderr: a line each, redrawn in place where stderr is a terminal."""

    def __init__(self) -> None:
        """Find out whether stderr is such a terminal."""
        self._redraws = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = 0
        self._printed: dict[str, tuple[Phase, str]] = {}

    def show(self, services: Sequence[Progress]) -> None:
        """Show how far each service is."""
        columns, rows = shutil.get_terminal_size()
        if self._redraws and len(services) < rows:
            lines = [_line(one, services, columns - 1) for one in services]
            self._write(self._cursor_back() + "".join(f"{line}\n" for line in lines))
            self._drawn = len(lines)
            return
        for one in services:
            if self._printed.get(one.service) != (one.phase, one.message):
                self._printed[one.service] = (one.phase, one.message)
                self._write(f"{_line(one, services, None)}\n")

    def note(self, text: str) -> None:
        """Print something that stays above the services."""
        self._write(f"{self._cursor_back()}{text}\n")
        self._drawn = 0

    def _cursor_back(self) -> str:
        return f"{_UP.format(self._drawn)}{_CLEAR}" if self._drawn else ""

    def _write(self, text: str) -> None:
        click.echo(text, nl=False, err=True)


def _line(one: Progress, services: Sequence[Progress], width: int | None) -> str:
    name = max(len(other.service) for other in services)
    text = f"{one.service:{name}}  {duration(one.seconds):>6}  {printable(one.message)}"
    return click.style(text if width is None else text[: max(width, 1)], fg=_COLOURS[one.phase])


def show_waited(waited: Waited) -> None:
    """Print how the wait ended; the progress of each service has been printed before."""
    words = {"ready": "ready", "failed": "failed", "timeout": "not ready"}[waited.outcome]
    names = ", ".join(one.service for one in waited.services if one.phase is Phase.FAILED)
    click.echo(f"{words} after {duration(waited.seconds)}{f': {names}' if names else ''}")


def show_interrupted(host: str) -> None:
    """Report that only the waiting has stopped, and how to continue."""
    click.echo(f"interrupted: the containers keep running; anvil-gen status {host}, anvil-gen logs {host} -f", err=True)


def waited_json(
    host: str, results: Sequence[Result], waited: Waited, diagnostics: Sequence[Diagnostic]
) -> dict[str, Any]:
    """Return what `up` did and how the wait ended as JSON."""
    return {
        "host": host,
        "services": [result_json(result) for result in results],
        "wait": _waited_json(waited),
        "diagnostics": [diagnostic_json(diagnostic) for diagnostic in diagnostics],
    }


def _waited_json(waited: Waited) -> dict[str, Any]:
    return {
        "outcome": waited.outcome,
        "seconds": round(waited.seconds, 1),
        "services": [_progress_json(one) for one in waited.services],
    }


def _progress_json(one: Progress) -> dict[str, Any]:
    failed = one.phase is Phase.FAILED
    return {
        "service": one.service,
        "container": one.container,
        "phase": one.phase.value,
        "stage": one.stage,
        "told": one.message,
        "seconds": round(one.seconds, 1),
        "log": relevant_lines(one) if failed else [],
        "causes": [_cause_json(cause) for cause in (shown_causes(one) if failed else ())],
        "impairments": [_cause_json(cause) for cause in one.impairments],
    }


def _cause_json(cause: Cause) -> dict[str, str]:
    return {"cause": cause.cause, "remedy": cause.remedy, "source": cause.source, "line": cause.line}
