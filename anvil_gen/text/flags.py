"""The flags of a command line: ``--flag value``, ``--flag=value`` and ``-f value``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from anvil_gen.patterns import lazy_pattern

LONG_FLAG = lazy_pattern("--[A-Za-z0-9][A-Za-z0-9._-]*")
"""A flag that an inventory's ``flags`` can name."""
_FLAG = lazy_pattern(r"(-[A-Za-z][^=]*|--(?:[A-Za-z0-9][^=]*)?)(?:=(.*))?", re.DOTALL)


def split_flag(word: str) -> tuple[str, str | None]:
    """Return a flag with its dashes and the value after its ``=``; an empty flag for any other word.

    ``-`` and negative numbers are values.
    """
    match = _FLAG.fullmatch(word)
    return (match[1], match[2]) if match is not None else ("", word)


def parse_flags(words: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the flags of a command line, each with its values, and positional arguments under an empty flag.

    A flag has the value after its ``=``, or the words up to the next flag; none for a bare flag.
    """
    found: list[tuple[str, list[str]]] = []
    takes_words = False
    for word in words:
        flag, value = split_flag(word)
        if flag:
            found.append((flag, [] if value is None else [value]))
            takes_words = value is None
        elif takes_words:
            found[-1][1].append(word)
        else:
            found.append(("", [word]))
    return [(flag, tuple(values)) for flag, values in found]
