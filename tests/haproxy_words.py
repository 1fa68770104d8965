"""HAProxy's configuration as data: each line as its words, read by its own rules for quotes and backslashes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from anvil_gen.diagnostics import InternalError

COMMENT = "\n#"
"""What a comment begins with in the data: no word can hold a line break that was not escaped."""
VARIABLE = "\0$"
"""What a variable of the environment begins with in the data: no word can hold a NUL."""

_SPACE = b" \t"
_ESCAPES = {ord("n"): b"\n", ord("r"): b"\r", ord("t"): b"\t"}
# What stands for itself: outside of quotes, in double ones, in single ones.
_PLAIN = {
    0: re.compile(rb"""[^ \t#"'\\]+"""),
    ord('"'): re.compile(rb'[^"\\$]+'),
    ord("'"): re.compile(rb"[^']+"),
}
_HEX = re.compile(rb"x([0-9A-Fa-f]{2})")
_NAME = re.compile(rb"\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)")


def load_cfg(text: str, path: str) -> list[list[str]]:
    """Return the words of each line.

    Raises:
        InternalError: a quote is not closed, a backslash stands at the end of a line, or the text holds a NUL.
    """
    if "\0" in text:
        raise InternalError(f"{path} holds a NUL")
    return [list(_line(line, path)) for line in text.split("\n")]


# Most lines are the same from host to host.
@lru_cache(maxsize=1024)
def _line(line: str, path: str) -> tuple[str, ...]:
    return tuple(_words(line.encode("utf-8", "surrogatepass"), path))


def _words(line: bytes, path: str) -> Iterator[str]:
    """Yield the words of a line; a comment is one."""
    word: bytearray | None = None
    quote, at = 0, 0
    while at < len(line):
        char = line[at]
        if not quote and char in _SPACE:
            if word is not None:
                yield _text(word)
            word, at = None, at + 1
        elif not quote and char == ord("#"):
            if word is not None:
                yield _text(word)
            yield f"{COMMENT}{_text(line[at + 1 :])}"
            return
        elif char in b"\"'" and quote in (0, char):
            quote = 0 if quote else char
            word, at = word or bytearray(), at + 1
        else:
            plain = _PLAIN[quote].match(line, at)
            piece, at = (plain[0], plain.end()) if plain else _special(line, at, path)
            word = (word or bytearray()) + piece
    if quote:
        raise InternalError(f"{path} has a quote that is not closed: {_text(line)}")
    if word is not None:
        yield _text(word)


def _special(line: bytes, at: int, path: str) -> tuple[bytes, int]:
    """Return what a backslash or a dollar stands for, and the place behind it: an escape, or a variable in quotes."""
    if line[at] == ord("\\"):
        return _escaped(line, at + 1, path)
    name = _NAME.match(line, at + 1)
    if name is None:
        raise InternalError(f"{path} has a $ that names no variable: {_text(line)}")
    return VARIABLE.encode() + b"{" + (name[1] or name[2]) + b"}", name.end()


def _escaped(line: bytes, at: int, path: str) -> tuple[bytes, int]:
    """Return what stands for a backslash and the characters behind it."""
    if at == len(line):
        raise InternalError(f"{path} has a line that ends in a backslash: {_text(line)}")
    char = line[at]
    code = _HEX.match(line, at)
    if code is not None:
        return bytes([int(code[1], 16)]), code.end()
    if char in _ESCAPES:
        return _ESCAPES[char], at + 1
    if char in b"\\\"'$ #":
        return line[at : at + 1], at + 1
    return line[at - 1 : at + 1], at + 1  # a backslash before anything else is one


def _text(word: bytes | bytearray) -> str:
    return bytes(word).decode("utf-8", "surrogateescape")
