"""Errors and warnings, as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from anvil_gen.cli.views.json_output import print_json
from anvil_gen.diagnostics import Diagnostic


def show_diagnostics(diagnostics: Sequence[Diagnostic], *, as_json: bool) -> None:
    """Print each diagnostic with its line, and the number of errors.

    In JSON, errors are a document of their own; warnings are part of the command's document.
    """
    errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    if as_json:
        if errors:
            print_json(hosts=[], diagnostics=[diagnostic_json(diagnostic) for diagnostic in diagnostics])
        return
    for diagnostic in diagnostics:
        click.echo(diagnostic_text(diagnostic), err=True)
    if errors > 1:
        click.echo(f"{errors} errors", err=True)


def diagnostic_text(diagnostic: Diagnostic) -> str:
    """Return a diagnostic as text: what is wrong, where (with the line and a caret), why, and how to fix it."""
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


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as JSON."""
    location = diagnostic.location
    return {
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "summary": diagnostic.summary,
        "detail": diagnostic.detail,
        "remedy": diagnostic.remedy,
        "address": diagnostic.address,
        "file": location.file if location else None,
        "line": location.line if location else None,
        "column": location.column if location else None,
    }
