"""Parses command lines back into flags, and into the values that an inventory writes for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from anvil_gen.inventory.env_references import env_reference
from anvil_gen.text.flags import LONG_FLAG, parse_flags
from anvil_gen.values import Number, canonical_flag

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


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


def flag_entry(values: Sequence[str]) -> Any:
    """Return what an inventory's ``flags`` write for the values of one flag: true, a value, or a list of them."""
    typed = [typed_value(value) for value in values]
    return True if not typed else typed[0] if len(typed) == 1 else typed


def typed_value(text: str) -> Any:
    """Return a value in its TOML type: a number that is spelled the same, a table for a JSON object, else text."""
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 20 and -(2**63) <= int(text) < 2**63 and text != "-0" else text
    if _FLOAT.fullmatch(text):
        return Number(text)
    if text.startswith("{"):
        table = _table(text)
        # A table with the key "env" would be read as a reference to a variable.
        return text if table is None or "env" in table or env_reference(table) is not None else table
    return text


def _table(text: str) -> dict[str, Any] | None:
    """Return a JSON object that TOML can represent; None for anything else."""
    try:
        found = json.loads(text, parse_float=Number, parse_constant=_refuse, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _has_toml_types(found) else None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("duplicate key")
    return table


def _has_toml_types(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_has_toml_types, value.values()))
    if isinstance(value, list):
        return all(map(_has_toml_types, value))
    return value is not None and (not isinstance(value, int) or -(2**63) <= value < 2**63)
