"""Diagnostics: what is wrong, where, and how to fix it; and the exit codes."""

import os
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import Literal

from msgspec import Struct

from anvil_gen.diagnostic_codes import SUMMARIES

Severity = Literal["error", "warning"]
MOST_ERRORS = 500
"""So many errors of one file are reported; then its check ends."""
_LONGEST = 400
_MOST_CANDIDATES = 2000


class ExitCode(IntEnum):
    """Process exit codes; "differs" is distinct from "failed"."""

    OK = 0
    ERROR = 1
    DIFFERS = 2
    NOT_PROVED = 3  # an import without a Docker Compose to prove it
    INTERRUPTED = 130  # as shells report a program that Ctrl-C ended

    @classmethod
    def of_command(cls, code: int) -> "ExitCode":
        """Return the exit code for that of a command that was run."""
        return cls.OK if code == 0 else cls.INTERRUPTED if code == cls.INTERRUPTED else cls.ERROR


class Location(Struct, frozen=True, kw_only=True):
    """A place in a text file; ``line`` and ``column`` count from 1, in characters."""

    file: str
    line: int | None = None
    column: int | None = None
    length: int = 1
    source: str = ""  # the line's text, without its line end

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


class Diagnostic(Struct, frozen=True, kw_only=True):
    """One error or warning.

    ``code`` is its kind, a key of `SUMMARIES`; ``detail`` says what exactly is wrong; ``remedy`` says what to write or
    run instead. ``address`` is the dotted key path inside the file.
    """

    code: str
    detail: str = ""
    remedy: str = ""
    address: str = ""
    location: Location | None = None
    severity: Severity = "error"

    @property
    def summary(self) -> str:
        """What people read first; constant for each kind."""
        return SUMMARIES[self.code]


class DiagnosticError(Exception):
    """Raised with every diagnostic of an operation, never with only the first."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(f"{d.location}: {d.summary}" if d.location else d.summary for d in self.diagnostics))


class InternalError(Exception):
    """An invariant of anvil-gen that does not hold: never the user's mistake, and nothing has been written."""


def printable(text: str) -> str:
    """Return text that is safe and short enough to show, with escapes for what would control a terminal."""
    if len(text) > _LONGEST:
        # The ends matter most: a list of choices follows a value of any length.
        text = f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    return short or (f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ``did you mean "x"?`` for the nearest candidate, else an empty string; also where there are thousands."""
    from difflib import get_close_matches  # noqa: PLC0415  costs imports that only an error needs

    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    if len(by_folded) > _MOST_CANDIDATES:
        return ""
    near = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.7)
    return f'did you mean "{by_folded[near[0]]}"?' if near else ""


def join_words(words: Iterable[str], *, limit: int = 12) -> str:
    """Return the words sorted and comma-separated, at most ``limit`` of them."""
    ordered = sorted(words)
    first = ", ".join(ordered[:limit])
    return f"{first}, … ({len(ordered)} in all)" if len(ordered) > limit else first


def display_path(path: Path, start: Path | None = None) -> str:
    """Return a path for messages, relative to ``start`` or else to the working folder."""
    try:
        relative = Path(os.path.relpath(path, start or os.curdir)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
    return path.as_posix() if relative.startswith("../../../..") else relative
