"""What a person or a program reads: commands return values, views turn them into text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import click

from anvil_gen.changes import Action, Change, recreated
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.fleet import shown
from anvil_gen.generate import Outcome, diff_text

JSON_FORMAT = 1
_SECRET_VERBS = {Action.CREATE: "added", Action.UPDATE: "changed", Action.DELETE: "removed"}
_VERBS = {"create": "wrote", "update": "wrote", "delete": "removed"}
_VALUE_WIDTH = 72
_HIDDEN = "…"


class View(Protocol):
    """How the answer of a verb is shown."""

    def written(self, outcomes: Sequence[Outcome]) -> None:
        """Show what was written."""

    def checked(self, outcomes: Sequence[Outcome]) -> None:
        """Show what a write would change."""

    def faults(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Show errors and warnings."""


class TextView:
    """Answers as lines on stdout, diagnostics on stderr."""

    def written(self, outcomes: Sequence[Outcome]) -> None:
        """Print a line for each file, and what it means for each service."""
        for outcome in outcomes:
            self._host(outcome, _VERBS)

    def checked(self, outcomes: Sequence[Outcome]) -> None:
        """Print a diff where the tree on disk differs."""
        for outcome in outcomes:
            for change in outcome.files:
                click.echo(_coloured(diff_text(change)), nl=False)
            if outcome.files:
                self._host(outcome, {"create": "missing", "update": "differs", "delete": "is left over"})
                self._mend(outcome)
            else:
                self._host(outcome, {})

    def faults(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Print each fault with its line, and how many there are."""
        for diagnostic in diagnostics:
            click.echo(diagnostic_text(diagnostic), err=True)
        errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
        if errors > 1:
            click.echo(f"{errors} errors", err=True)

    def _mend(self, outcome: Outcome) -> None:
        """Print what makes the tree what it should be; where that would lose somebody's work, both ways out."""
        command = outcome.rendered.command
        by_hand = [change.path for change in outcome.folder.foreign(outcome.files)]
        if by_hand:
            click.echo(f"  changed by hand: {', '.join(by_hand)}")
            click.echo(f"  to keep that, write it into {outcome.rendered.inventory.as_posix()} and render again:\n")
            click.echo(f"    {command}\n\n  to overwrite it:\n\n    {command} --force\n")
        else:
            click.echo(f"  to mend it:\n\n    {command}\n")

    def _host(self, outcome: Outcome, verbs: dict[str, str]) -> None:
        rendered = outcome.rendered
        head = f"{click.style(rendered.host, bold=True)} -> {shown(rendered.output)}"
        if not outcome.files:
            click.echo(f"{head}: {len(rendered.tree.files)} files, nothing changed")
            return
        click.echo(head)
        width = max(len(verbs[change.action]) for change in outcome.files)
        for change in outcome.files:
            click.echo(f"  {verbs[change.action]:{width}}  {change.path}")
        for line in change_lines(outcome.changes):
            click.echo(f"  {line}")
        services = recreated(outcome.changes, outcome.rendered.project)
        if services:
            click.echo(f"  the next `docker compose up -d` recreates: {', '.join(services)}")
        gone = _gone(outcome)
        if gone:
            click.echo(f"  until it is stopped, a container keeps its card and port: {', '.join(gone)}; to stop it:\n")
            click.echo("    docker compose up -d --remove-orphans\n")


class JsonView:
    """Answers as one JSON document on stdout."""

    def written(self, outcomes: Sequence[Outcome]) -> None:
        """Print what was written."""
        self._print(hosts=[_outcome_json(outcome) for outcome in outcomes], diagnostics=_warnings(outcomes))

    def checked(self, outcomes: Sequence[Outcome]) -> None:
        """Print what a write would change."""
        self.written(outcomes)

    def faults(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Print the faults, where they are errors; warnings are part of the answer."""
        if any(diagnostic.severity == "error" for diagnostic in diagnostics):
            self._print(hosts=[], diagnostics=[_diagnostic_json(diagnostic) for diagnostic in diagnostics])

    def _print(self, **answer: Any) -> None:
        click.echo(json.dumps({"format": JSON_FORMAT, **answer}, indent=2))


def diagnostic_text(diagnostic: Diagnostic) -> str:
    """Return a diagnostic as a person reads it: what, where with the line and a caret, why, and what to do."""
    error = diagnostic.severity == "error"
    lines = [click.style(diagnostic.severity, fg="red" if error else "yellow", bold=True) + f": {diagnostic.summary}"]
    location = diagnostic.location
    if location is not None:
        lines.append(f"  --> {location}" + (f"  {diagnostic.address}" if diagnostic.address else ""))
        if location.line is not None and location.source:
            lines += _excerpt(location.line, location.column or 1, location.length, location.source)
    for text in (diagnostic.detail, diagnostic.remedy):
        lines += [f"  {line}" if line else "" for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def _excerpt(number: int, column: int, length: int, source: str) -> list[str]:
    # A window around the place: some lines are very long.
    start = max(0, column - 1 - 60)
    shown = "".join(char if char.isprintable() else " " for char in source[start : start + 120])
    gutter = len(str(number))
    caret = " " * (column - 1 - start) + "^" * max(1, min(length, start + 120 - column + 1))
    return [f"  {number} | {shown}", f"  {'':{gutter}} | {click.style(caret, fg='red')}"]


def change_lines(changes: Iterable[Change]) -> Iterator[str]:
    """Yield one line a change: ``~ fast: --max-model-len 65536 -> 32768``."""
    for change in changes:
        if change.service is None:  # a volume comes and goes with the service that mounts it
            continue
        if len(change.address) == 2:
            told = "new service" if change.action is Action.CREATE else "removed"
            yield f"{change.action.value} {change.service}: {told}"
        else:
            yield f"~ {change.service}: {change.reason or _what(change)}"


def _gone(outcome: Outcome) -> list[str]:
    """Return the services of the main project that are no longer in it: Compose leaves their containers running."""
    return [
        change.address[1]
        for change in outcome.changes
        if change.project == outcome.rendered.project
        and change.action is Action.DELETE
        and change.service is not None
        and len(change.address) == 2
    ]


def _what(change: Change) -> str:
    parts = change.address[2:]
    is_flag = parts[0] == "command" and len(parts) > 1
    what = (
        parts[1] if is_flag else f"mount {parts[1]}:" if parts[0] == "volumes" and len(parts) == 2 else ".".join(parts)
    )
    if change.secret:
        return f"{what} {_SECRET_VERBS[change.action]}"
    before, after = _value(change.before, is_flag), _value(change.after, is_flag)
    if max(len(before), len(after)) > _VALUE_WIDTH and change.action is Action.UPDATE:  # cut, they may look the same
        return f"{what} changed"
    before, after = _cut(before), _cut(after)
    if change.action is Action.CREATE:
        return f"{what} {after} added" if after else f"{what} added"
    if change.action is Action.DELETE:
        return f"{what} {before} removed" if before else f"{what} removed"
    return f"{what} {before or '(none)'} -> {after or '(none)'}"


def _value(value: Any, is_flag: bool) -> str:
    if value is None or (value is True and is_flag):  # a variable or a flag without a value
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 1] + "…"


def _coloured(diff: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    lines = diff.splitlines(keepends=True)
    return "".join(click.style(line, fg=colours[line[0]]) if line[:1] in colours else line for line in lines)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "host": outcome.rendered.host,
        "inventory": outcome.rendered.inventory.as_posix(),
        "output": outcome.rendered.output.as_posix(),
        "files": [{"path": change.path, "action": change.action} for change in outcome.files],
        "changes": [
            {
                "action": change.action.name.lower(),
                "project": change.project,
                "service": change.service,
                "address": list(change.address),
                "before": _HIDDEN if change.secret and change.before is not None else change.before,
                "after": _HIDDEN if change.secret and change.after is not None else change.after,
                "reason": change.reason,
            }
            for change in outcome.changes
        ],
        "recreates": recreated(outcome.changes, outcome.rendered.project),
    }


def _warnings(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [_diagnostic_json(warning) for outcome in outcomes for warning in outcome.rendered.warnings]


def _diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    location = diagnostic.location
    return {
        "severity": diagnostic.severity,
        "summary": diagnostic.summary,
        "detail": diagnostic.detail,
        "remedy": diagnostic.remedy,
        "address": diagnostic.address,
        "file": location.file if location else None,
        "line": location.line if location else None,
        "column": location.column if location else None,
    }
