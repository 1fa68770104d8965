"""A TOML file as read from disk: its text, its data, and the place of each key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, printable
from anvil_gen.text.masking import MASK, mask_text, may_hold_secret, secret_part
from anvil_gen.text_files import read_bytes
from anvil_gen.values import KeyPath, Number, address

if TYPE_CHECKING:
    from anvil_gen.inventory.toml_positions import Positions

MAX_DEPTH = 32
"""Tables and arrays inside one another; no sensible file comes near, and deeper ones exhaust parsers."""

# A dotted key of 64 parts: the parser keeps each of its prefixes, and looks at all of them for every key.
_MANY_PARTS = r"""(?m)(?:^|[\[{,])[ \t]*(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}"""
_TOO_DEEP = (
    "nested-too-deeply",
    f"tables and arrays are nested more than {MAX_DEPTH} levels deep",
    "an inventory needs five levels at most",
)
_LONG_NUMBER = (
    "number-out-of-range",
    "a number has thousands of digits, and TOML's whole numbers have 64 bits",
    "write a smaller number, or text in quotes",
)
_KEY_PATH = r"\((?:(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"),? ?)+\)"
_REMEDIES = {
    "cannot overwrite a value": "the key has a value already: keep one of the two",
    "cannot declare": "another heading has its keys already: put them together, under one",
    "cannot redefine": "another heading has its keys already: put them together, under one",
    "cannot mutate": "a table in braces is complete: write the key inside them",
    "duplicate inline table key": "the key has a value already: keep one of the two",
    "expected '=' after a key": "write key = value",
    "expected newline": "write one key per line, and text with spaces in quotes",
    "expected ']' at the end of a table declaration": "write other names than letters, digits, - and _ in quotes",
    "unclosed array": "close the list with ]",
    "unclosed inline table": "close the table with }, on the same line",
    "unterminated string": "close the quotes",
    "illegal character '\\n'": "close the quotes on the same line",
}
"""By how the parser's message begins."""

_STATEMENT = r"""[ \t]*(?:[\w-]+|"[^"]*"|'[^']*')[ \t]*[.=]"""
_AT_LINE = r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$"


class Document:
    """A parsed TOML file. ``display`` is how messages name it."""

    def __init__(
        self, path: Path, *, display: str | None = None, text: str | None = None, below: Path | None = None
    ) -> None:
        """Read and parse ``path``, which with ``below`` leads into that folder; or parse ``text`` as its content.

        Raises:
            DiagnosticError: the file cannot be read, or is not TOML.
        """
        self.path = path
        self.display = display or path.as_posix()
        self.text = _decode(_read(path, self.display, below), self.display) if text is None else text
        self._shown_lines: dict[int, str] = {}
        self.data = self._parse()

    def location(self, path: KeyPath, *, key: bool = False) -> Location:
        """Return the place of the value at ``path`` (or of its key); of its nearest parent where it does not exist."""
        line, column, length = self._positions.find(path, key=key)
        found = self._at(line, column, length)
        parts = path[:-1] if key else path
        secret = secret_part(parts)
        if secret is None:
            return found
        # The value may go on for lines: only the key itself is shown.
        key_line, key_column, key_length = self._positions.find(path[: secret + 1], key=True)
        shown = f"{found.source[: key_column - 1 + key_length]} = {MASK}" if key_line == line else ""
        return replace(found, source=shown)

    @cached_property
    def _positions(self) -> Positions:
        from anvil_gen.inventory.toml_positions import Positions  # noqa: PLC0415  costs 25 ms, and only an error needs it

        return Positions(self.text)

    @cached_property
    def _lines(self) -> list[str]:
        # Not splitlines(): that also breaks at U+0085 and U+2028, which TOML does not count as line ends.
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    def _at(self, line: int, column: int, length: int = 1) -> Location:
        if line not in self._shown_lines:
            self._shown_lines[line] = mask_text(self._lines[line - 1]) if line <= len(self._lines) else ""
        return Location(file=self.display, line=line, column=column, length=length, source=self._shown_lines[line])

    def _parse(self) -> dict[str, Any]:
        if self.text.count(".") >= 64 and re.search(_MANY_PARTS, self.text):
            raise self._refused(*_TOO_DEEP)
        try:
            # TOML knows only LF and CRLF; a lone CR is left in, for the parser to refuse.
            data = tomllib.loads(self.text.replace("\r\n", "\n"), parse_float=Number)
        except tomllib.TOMLDecodeError as error:
            raise DiagnosticError([self._syntax_error(str(error))]) from None
        except RecursionError:
            raise self._refused(*_TOO_DEEP) from None
        except ValueError:
            raise self._refused(*_LONG_NUMBER) from None
        if _deeper_than(data, MAX_DEPTH):
            raise self._refused(*_TOO_DEEP)
        return data

    def _refused(self, code: str, detail: str, remedy: str) -> DiagnosticError:
        """Return the error of a file that no person writes: it has no line, since the parser reports none."""
        location = Location(file=self.display)
        return DiagnosticError([Diagnostic(code=code, detail=detail, remedy=remedy, location=location)])

    def _syntax_error(self, message: str) -> Diagnostic:
        from ast import literal_eval  # noqa: PLC0415  only an error needs it

        match = re.search(_AT_LINE, message)
        reason = message[: match.start()] if match else message
        if match and match["line"]:
            location = self._at(int(match["line"]), int(match["column"]))
        else:
            location = self._at(len(self._lines), len(self._lines[-1]) + 1)
        if message.startswith("Cannot"):  # it is reported at the end of the statement
            statement = location.source.strip()
            location = self._at(location.line or 1, location.source.find(statement) + 1, len(statement))
        location = self._without_secret(location)
        reason = re.sub(_KEY_PATH, lambda keys: address(literal_eval(keys[0])), reason[:1].lower() + reason[1:])
        return Diagnostic(
            code="not-valid-toml",
            detail=printable(reason),
            remedy=printable(_syntax_remedy(reason, location)),
            location=location,
        )

    def _without_secret(self, location: Location) -> Location:
        """Return a place without its line, where that goes on with the value of a secret's key above it."""
        line = location.line or 1
        for above in range(line - 1, -1, -1):
            text = self._lines[above]
            if re.match(_STATEMENT, text):
                goes_on = above < line - 1 and may_hold_secret(text.partition("=")[0])
                return replace(location, source="") if goes_on else location
        return location


def _syntax_remedy(reason: str, location: Location) -> str:
    """Guess the usual slip from the line; an empty string where none fits."""
    key, equals, value = location.source.partition("=")
    value = value.split("#")[0].strip()
    if equals and re.fullmatch(r"[A-Za-z][\w./:-]*", value) and value not in ("true", "false", "inf", "nan"):
        return f'write text in quotes: {key.strip()} = "{value}"'
    if equals and "\\" in value and value.startswith('"'):
        return "in double quotes a backslash is an escape: write forward slashes, or single quotes around the text"
    return next((remedy for start, remedy in _REMEDIES.items() if reason.startswith(start)), "")


def _read(path: Path, display: str, below: Path | None) -> bytes:
    try:
        return read_bytes(path, below=below)
    except IsADirectoryError:
        detail, remedy = "it is a folder", "name a file in it"
    except FileNotFoundError:
        detail, remedy = "there is no such file", ""
    except OSError as error:
        # Windows answers "permission denied" where POSIX says "is a directory".
        detail = "it is a folder" if path.is_dir() else (error.strerror or str(error)).lower()
        remedy = "name a file in it" if path.is_dir() else ""
    except ValueError:
        detail, remedy = "no file name may hold a NUL character", ""
    raise DiagnosticError(
        [Diagnostic(code="cannot-read-the-file", detail=detail, remedy=remedy, location=Location(file=display))]
    )


def _decode(raw: bytes, display: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        before = raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8-sig")
        raise DiagnosticError(
            [
                Diagnostic(
                    code="not-valid-toml",
                    detail=f"byte 0x{raw[error.start]:02x} is not UTF-8",
                    remedy="save the file as UTF-8 text",
                    location=Location(file=display, line=line, column=len(before) + 1),
                )
            ]
        ) from None
    return text


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _deeper_than(data: Any, limit: int) -> bool:
    level = [data]
    for _ in range(limit):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return True
