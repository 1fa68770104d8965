"""The faults of one inventory, collected while it is resolved, each at its place in the file."""

from __future__ import annotations

from typing import Any

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Severity
from anvil_gen.document import Document
from anvil_gen.model import KeyPath, address


class Report:
    """Collects diagnostics. Paths that are already known to be wrong are not reported twice."""

    def __init__(self, document: Document) -> None:
        """Start with nothing wrong in ``document``."""
        self.document = document
        self._diagnostics: dict[tuple[str, str, str], Diagnostic] = {}

    def add(
        self,
        summary: str,
        path: KeyPath,
        detail: str = "",
        remedy: str = "",
        *,
        key: bool = False,
        severity: Severity = "error",
    ) -> None:
        """Note a fault at ``path``; with ``key``, at the key itself and not at its value."""
        where = address(path)
        self._diagnostics.setdefault(
            (summary, where, detail),
            Diagnostic(
                summary=summary,
                detail=detail,
                remedy=remedy,
                address=where,
                location=self.document.location(path, key=key),
                severity=severity,
            ),
        )

    def missing(self, table: KeyPath, key: str, remedy: str) -> None:
        """Note that a table lacks a key; one that is there but wrong has been reported already."""
        written: Any = self.document.data
        for part in table:
            written = written[part]
        if key not in written:
            self.add("missing key", table, f'"{key}" is not set', remedy, key=True)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All faults so far, in the order of the file."""

        def place(diagnostic: Diagnostic) -> tuple[int, int]:
            location = diagnostic.location
            return (location.line or 0, location.column or 0) if location else (0, 0)

        return tuple(sorted(self._diagnostics.values(), key=place))

    def raise_errors(self) -> None:
        """Raise the errors among what was collected; the warnings of a faulty inventory may be wrong.

        Raises:
            DiagnosticError: with all errors.
        """
        errors = [diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error"]
        if errors:
            raise DiagnosticError(errors)
