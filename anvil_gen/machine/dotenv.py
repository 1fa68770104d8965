"""Values of the variables that Compose interpolates: the shell's, else those of the folder's ``.env``.

A ``.env`` is read here before Compose reads it, which prints what it stumbles over: a secret, as a rule.
"""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path
from anvil_gen.patterns import lazy_pattern
from anvil_gen.text.interpolation import fill_variables
from anvil_gen.text.masking import looks_secret, may_hold_secret
from anvil_gen.text_files import read_bytes

FILE = ".env"
BAD_VARIABLES = "variables-cannot-be-read"
"""The code of the error where an ``.env`` cannot be parsed."""

_REMEDY = "each line is NAME=value; put a value with spaces, quotes, # or $ in single quotes"
_LONGEST = 1 << 17
"""Bytes of a variable that Linux passes to a program, with its name."""
_NOTHING = lazy_pattern(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_NAME = lazy_pattern(r"[ \t]*(?:export[ \t]+)?(?P<name>[^\r\n=:]*)(?P<sign>[=:][ \t]*)?")
_VALID_NAME = lazy_pattern(r"[\w.\[\]-]+")
_QUOTED = {quote: lazy_pattern(rf"{quote}(?P<value>(?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "'\""}
_REST = lazy_pattern(r"[^\n]*(?:\n|\Z)")
_COMMENT = lazy_pattern(r"(?:^|\s)#.*")
# What Compose reads as a variable, or stumbles over; in double quotes, a backslash escapes it.
_PLAIN_VARIABLE = lazy_pattern(
    r"\$(?:\$|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-+])(?P<word>[^{}$]*))?\}|(?P<broken>\{))"
)
_VARIABLE = lazy_pattern(rf"\\.|{_PLAIN_VARIABLE.pattern}", re.DOTALL)


class EnvFile(Struct, frozen=True, kw_only=True):
    """What a ``.env`` says: values by name, and what is wrong by line."""

    values: dict[str, str]
    errors: tuple[tuple[int, str], ...]


class _LineError(Exception):
    """What is wrong with a line, in words of ours: never a part of it."""


def parse(text: str, shell: Mapping[str, str]) -> EnvFile:
    """Return what the text of a ``.env`` says, as far as every Compose reads it so."""
    values: dict[str, str] = {}
    known = ChainMap(dict(shell), values)
    errors: list[tuple[int, str]] = []
    at, line, text = 0, 1, text.removeprefix("\ufeff")
    while at < len(text):
        nothing = _NOTHING.match(text, at)
        try:
            end = nothing.end() if nothing else _read_line(text, at, values, known)
        except _LineError as error:
            errors.append((line, str(error)))
            rest = _REST.match(text, at)
            end = rest.end() if rest else len(text)
        line += text.count("\n", at, end)
        at = end
    return EnvFile(values=values, errors=tuple(errors))


def _read_line(text: str, at: int, values: dict[str, str], known: Mapping[str, str]) -> int:
    """Read one assignment into ``values``, and return where the next line starts."""
    name = _NAME.match(text, at)
    key = name["name"].rstrip(" \t") if name is not None else ""
    if name is None or not _VALID_NAME.fullmatch(key):
        raise _LineError("it does not start with a variable's name")
    if not name["sign"]:
        raise _LineError("there is no = after the name")
    at = name.end()
    quote = text[at : at + 1]
    if quote in _QUOTED:
        quoted = _QUOTED[quote].match(text, at)
        if quoted is None:
            raise _LineError("its quotes are not closed")
        rest = _NOTHING.match(text, quoted.end())
        if rest is None:
            raise _LineError("something follows the closing quotes")
        value, end = quoted["value"], rest.end()
    else:
        rest = _REST.match(text, at)
        value, end = _COMMENT.sub("", rest[0].rstrip("\r\n")).strip() if rest else "", rest.end() if rest else at
    if "\0" in value:
        raise _LineError("it has a NUL character in it")
    values[key] = value if quote == "'" else _expanded(value, known, escapes=quote == '"')
    return end


def _expanded(value: str, known: Mapping[str, str], *, escapes: bool) -> str:
    room = _LONGEST - len(value)

    def fill(match: re.Match[str]) -> str:
        nonlocal room
        found = filled(match)
        room -= len(found)
        if room < 0:
            raise _LineError("it is longer than any variable can be")
        return found

    def filled(match: re.Match[str]) -> str:
        if match[0].startswith("\\"):
            return "$" if match[0] == "\\$" else match[0]
        if match["broken"]:
            raise _LineError("a ${ in it is no variable, or is not closed")
        name = match["bare"] or match["name"]
        if name is None:
            return "$"
        if name not in known and not match["operator"]:
            raise _LineError("a $ in it is read as a variable, which is not set")
        return fill_variables(match[0], known)

    return (_VARIABLE if escapes else _PLAIN_VARIABLE).sub(fill, value)


def variables(folder: Path, shell: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the values that Compose has in a folder: the shell's (this process's, if None) before those of ``.env``.

    Lines that cannot be read have none: `env_file_errors` reports them.
    """
    own = os.environ if shell is None else shell
    found: dict[str, str] = {}
    for file in _files(folder):
        try:
            found |= parse(_text(file), own).values
        except OSError:
            continue
    return {**found, **own}


def secret_values(folder: Path | None) -> set[str]:
    """Return the values of a folder's variables that are secrets, by their names or by what they look like."""
    found = variables(folder) if folder is not None else dict(os.environ)
    return {value for name, value in found.items() if may_hold_secret(name) or looks_secret(value)}


def env_file_errors(folder: Path) -> list[Diagnostic]:
    """Return what is wrong in a folder's ``.env``, each with its line, and nothing of what stands there."""
    diagnostics: list[Diagnostic] = []
    for file in _files(folder):
        errors: tuple[tuple[int | None, str], ...] = ()
        try:
            errors = parse(_text(file), os.environ).errors
        except FileNotFoundError:
            continue
        except OSError as error:
            errors = ((None, (error.strerror or str(error)).lower()),)
        diagnostics += (
            Diagnostic(
                code=BAD_VARIABLES, detail=why, remedy=_REMEDY, location=Location(file=display_path(file), line=line)
            )
            for line, why in errors
        )
    return diagnostics


def require_env_file(folder: Path) -> None:
    """Refuse a ``.env`` of which Compose would print what it cannot read.

    Raises:
        DiagnosticError: with each line that is wrong.
    """
    diagnostics = env_file_errors(folder)
    if diagnostics:
        raise DiagnosticError(diagnostics)


def _files(folder: Path) -> list[Path]:
    """Return the files that Compose reads variables from."""
    named = os.environ.get("COMPOSE_ENV_FILES", "")
    return [folder / name for name in named.split(",") if name] or [folder / FILE]


def _text(file: Path) -> str:
    return read_bytes(file).decode("utf-8", "surrogateescape")
