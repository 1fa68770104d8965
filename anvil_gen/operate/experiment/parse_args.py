"""Parses command lines back into flags."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from anvil_gen.text.flags import LONG_FLAG, parse_flags
from anvil_gen.values import canonical_flag


class Flag(Struct, frozen=True, kw_only=True):
    """A flag of a command line: ``values`` are the arguments that follow it, none for a bare flag."""

    name: str
    values: tuple[str, ...]

    @property
    def canonical(self) -> str:
        """The canonical spelling of the flag."""
        return canonical_flag(self.name)


class ParsedArguments(Struct, frozen=True, kw_only=True):
    """The flags of a command line in order, and the arguments that are neither flags nor values of one."""

    flags: tuple[Flag, ...]
    stray: tuple[str, ...]


def parse_arguments(words: Iterable[str]) -> ParsedArguments:
    """Parse the flags of a command line, in either style: ``--flag=value`` or ``--flag value``."""
    flags: list[Flag] = []
    stray: list[str] = []
    for flag, values in parse_flags(words):
        if LONG_FLAG.fullmatch(flag):
            flags.append(Flag(name=flag.removeprefix("--"), values=values))
        else:
            stray += [flag] if flag else values
    return ParsedArguments(flags=tuple(flags), stray=tuple(stray))
