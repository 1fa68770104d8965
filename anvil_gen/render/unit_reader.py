"""Systemd units read back: their keys in order, and the words of a command line as systemd splits and unescapes it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anvil_gen.diagnostics import InternalError

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_DIGITS = {"x": 2, "u": 4, "U": 8}


def read_unit(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield section, key and value of each line of a unit; what a backslash continues is one line."""
    section = ""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith(("#", ";"))]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).split("\n"):
        if line.startswith("["):
            section = line.strip("[]")
        elif line.strip():
            key, equals, value = line.partition("=")
            if not equals:
                raise InternalError(f"a line of a unit has no key: {line!r}")
            yield section, key.strip(), value.strip()


def plain(text: str) -> str:
    """Return a text as it is once systemd has read `$$` and `%%`."""
    return text.replace("$$", "$").replace("%%", "%")


def split_words(text: str) -> list[str]:
    """Return the words of a command line of a unit.

    Raises:
        InternalError: a quote is not closed, or an escape means nothing.
    """
    words: list[str] = []
    word: str | None = None
    quote, at = "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\":
            escaped, at = _escape(text, at)
            word = (word or "") + escaped
        elif char == quote:
            quote = ""
        elif quote:
            word = (word or "") + char
        elif char in "'\"":
            quote, word = char, word or ""
        elif char in " \t":
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + char
    if quote:
        raise InternalError(f"a quote of a unit is not closed: {text!r}")
    return words if word is None else [*words, word]


def _escape(text: str, at: int) -> tuple[str, int]:
    """Return what is escaped at a place, and the place behind it."""
    kind = text[at : at + 1]
    if kind in _DIGITS:
        end = at + 1 + _DIGITS[kind]
        return chr(int(text[at + 1 : end], 16)), end
    if kind in _ESCAPES:
        return _ESCAPES[kind], at + 1
    if kind and kind in "\\\"'":
        return kind, at + 1
    raise InternalError(f"an escape of a unit means nothing: {text[at - 1 : at + 1]!r}")
