"""The values that an inventory writes for the words of a command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from anvil_gen.inventory.env_references import env_reference
from anvil_gen.patterns import lazy_pattern
from anvil_gen.values import Number

_INTEGER = lazy_pattern(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = lazy_pattern(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


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
