"""The errors and warnings of one inventory, collected while it is resolved, each at its place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from anvil_gen.diagnostics import (
    MOST_ERRORS,
    Diagnostic,
    DiagnosticError,
    Location,
    Severity,
    did_you_mean,
    printable,
)
from anvil_gen.inventory.toml_file import Document
from anvil_gen.patterns import lazy_pattern
from anvil_gen.text.masking import LEAST, MASK, mask_looks, secret_part
from anvil_gen.values import KeyPath, address

_VARIABLE = lazy_pattern(r"\$\{[A-Za-z_]\w*\}")
_SECRET = "secret-in-the-inventory"  # noqa: S105  a code
_SAY_MORE = ("unknown-key", "text-that-looks-like-a-variable")
"""Codes whose diagnostics say better than the one of a secret what to write."""
_COMMAND = "\n\n    "
"""What is before a command that a remedy ends with."""
_NOT_SHOWN = "what is written there is not shown: it may be a secret"


class Collector:
    """Collects diagnostics, and knows what has been reported: what only follows from that is not reported again."""

    def __init__(self, document: Document) -> None:
        """Start with nothing wrong in ``document``."""
        self.document = document
        self._diagnostics: dict[tuple[str, str, str], Diagnostic] = {}
        self._unplaced: dict[tuple[str, str, str], tuple[KeyPath, bool, bool]] = {}
        # Where a diagnostic is, is found when it is shown: to parse a text for its lines takes longer than its checks.
        self._errors = 0
        self._secrets: dict[str, tuple[Location, tuple[str, ...]]] = {}
        self._dropped: set[KeyPath] = set()
        self._missing_elsewhere: set[KeyPath] = set()
        self._invalid_names: set[KeyPath] = set()

    def add(
        self,
        code: str,
        path: KeyPath,
        detail: str = "",
        remedy: str = "",
        *,
        key: bool = False,
        severity: Severity = "error",
        secret: bool = False,
    ) -> None:
        """Add a diagnostic at ``path``; with ``key``, at the key itself and not at its value.

        With ``secret``, the value is one, and its line is not shown from there on.

        Raises:
            DiagnosticError: with all errors, since this is one of so many that nobody reads more.
        """
        where = printable(mask_looks(address(path)))
        is_hidden = secret_part(path[:-1] if key else path) is not None
        detail = _NOT_SHOWN if is_hidden else printable(mask_looks(detail))
        if (code, where, detail) in self._diagnostics:
            return
        if is_hidden and self._shows(path, remedy):
            remedy = ""
        remedy = _COMMAND.join(printable(part) for part in mask_looks(remedy).split(_COMMAND))
        self._diagnostics[code, where, detail] = Diagnostic(
            code=code, detail=detail, remedy=remedy, address=where, severity=severity
        )
        self._unplaced[code, where, detail] = (path, key, secret)
        self._errors += severity == "error"
        if self._errors == MOST_ERRORS:
            self.raise_errors()

    def _shows(self, path: KeyPath, remedy: str) -> bool:
        """Tell whether a remedy has something of the value at a path in it."""
        return any(text in remedy for text in _texts(self.value_at(path)) if len(text) >= LEAST)

    def value_at(self, path: KeyPath) -> Any:
        """Return what the document has at ``path``; None where it has nothing."""
        value: Any = self.document.data
        for part in path:
            known = isinstance(value, dict) or (isinstance(value, list) and isinstance(part, int) and part < len(value))
            value = (value.get(part) if isinstance(value, dict) else value[part]) if known else None
        return value

    def drop(self, path: KeyPath) -> None:
        """Record that the value at ``path`` is left out, because of an error that has been reported."""
        self._dropped.add(path)

    def is_dropped(self, path: KeyPath) -> bool:
        """Return whether ``path`` was left out, or something inside it, or a table around it."""
        return any(path[: len(out)] == out[: len(path)] for out in self._dropped)

    def invalid_name(self, path: KeyPath) -> None:
        """Record that the entry at ``path`` is kept under a name that is not allowed, which has been reported."""
        self._invalid_names.add(path)

    def has_invalid_name(self, path: KeyPath) -> bool:
        """Return whether the entry at ``path`` has a name that is not allowed: what is named after it is wrong too."""
        return path in self._invalid_names

    def missing_key(self, table: KeyPath, key: str, remedy: str) -> None:
        """Report that a table lacks a key, unless it is there but wrong, or misspelt."""
        written: Any = self.document.data
        for part in table:
            written = written[part]
        misspelt = [str(path[-1]) for path in self._dropped if path[:-1] == table]
        if key not in written and did_you_mean(key, misspelt) == "":
            self.add("missing-key", table, f'"{key}" is not set', remedy, key=True)

    def missing_elsewhere(self, fact: KeyPath, needed_by: KeyPath, detail: str, remedy: str) -> None:
        """Report once, however many need it, that a value of another table is not set, unless that table has errors."""
        if fact not in self._missing_elsewhere and not self.is_dropped(fact[:-1]):
            self._missing_elsewhere.add(fact)
            self.add("missing-key", needed_by, detail, remedy)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All diagnostics so far, in the order of the file."""
        return tuple(self._in_order("error", "warning"))

    def _in_order(self, *severities: Severity) -> list[Diagnostic]:
        for name in [name for name in self._unplaced if self._diagnostics[name].severity in severities]:
            path, key, secret = self._unplaced.pop(name)
            location = self.document.location(path, key=key)
            if secret:
                location = _without_value(location, key=key)
                self._secrets[name[1]] = (location, tuple(_texts(self.value_at(path))))
            self._diagnostics[name] = replace(self._diagnostics[name], location=location)
        found = [one for one in self._diagnostics.values() if one.severity in severities]
        known = {diagnostic.address for diagnostic in found if self._says_more(diagnostic)}
        told = (one for one in found if one.code != _SECRET or one.address not in known)
        return sorted(map(self._without_secret, told), key=_place)

    def _without_secret(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return a diagnostic that does not show its value, where another one has found that to be a secret."""
        if diagnostic.address not in self._secrets or diagnostic.code == _SECRET:
            return diagnostic
        location, _ = self._secrets[diagnostic.address]
        if self._says_more(diagnostic):
            return replace(diagnostic, location=location)
        return replace(diagnostic, detail=_NOT_SHOWN, remedy="", location=location)

    def _says_more(self, diagnostic: Diagnostic) -> bool:
        """Tell whether a diagnostic says what to write instead of a secret, and shows nothing of its value."""
        _, texts = self._secrets.get(diagnostic.address, (None, ()))
        is_told = diagnostic.code in _SAY_MORE and diagnostic.remedy != ""
        return is_told and not any(text in f"{diagnostic.detail}\n{diagnostic.remedy}" for text in texts)

    def raise_errors(self, *, ended: bool = False) -> None:
        """Raise the errors among the diagnostics; the warnings of an inventory with errors may be wrong.

        With ``ended``, the check of the file ended before all was read.

        Raises:
            DiagnosticError: with all errors.
        """
        errors = self._in_order("error")
        if ended or len(errors) >= MOST_ERRORS:
            detail, remedy = "the check of the file ended here: there may be more", "fix these first"
            where = Location(file=self.document.display)
            too_many = Diagnostic(
                code="too-many-errors", detail=detail, remedy=remedy, location=where, severity="warning"
            )
            raise DiagnosticError([*errors, too_many])
        if errors:
            raise DiagnosticError(errors)


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    location = diagnostic.location
    return (location.line or 0, location.column or 0) if location else (0, 0)


def _without_value(location: Location, *, key: bool) -> Location:
    """Return a place whose line ends where a value begins."""
    end = (location.column or 1) - 1 + (location.length if key else 0)
    return replace(location, source=f"{location.source[:end]}{f' = {MASK}' if key else MASK}")


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts and numbers of a value; a variable's name is no secret."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool) and not _VARIABLE.fullmatch(str(value)):
        yield str(value)
