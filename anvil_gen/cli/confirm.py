"""Confirmation before an inventory is written."""

from __future__ import annotations

import sys

from anvil_gen.diagnostics import Diagnostic, DiagnosticError


def refuse_without_prompt(*, as_json: bool) -> None:
    """Refuse to write if no confirmation can be asked for.

    Raises:
        DiagnosticError: there is no terminal, or the output is JSON.
    """
    if as_json or not sys.stdin.isatty():
        detail = "--json never prompts" if as_json else "there is no terminal to prompt on"
        remedy = "confirm with --yes"
        raise DiagnosticError([Diagnostic(code="not-confirmed", detail=detail, remedy=remedy)])
