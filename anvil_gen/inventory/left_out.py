"""What an inventory says that a further target does not get: `without` of the target's table."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from anvil_gen.inventory.toml_file import Document
from anvil_gen.values import KeyPath


def leave_out(document: Document, target: str) -> None:
    """Take out of a document's data what a target's table names; places of what stays are where they were.

    A variable stays: what is left out of it is that it is one, and it is its default.
    """
    table = document.data.get(target)
    written = table.get("without") if isinstance(table, dict) else None
    patterns = [one for one in written if isinstance(one, str)] if isinstance(written, list) else []
    if patterns:
        document.data = _without(document.data, (), patterns)


def _without(value: Any, path: KeyPath, patterns: Sequence[str]) -> Any:
    if not isinstance(value, dict) or is_variable(value):
        return value
    return {
        key: _without(item, (*path, key), patterns)
        for key, item in value.items()
        if is_variable(item) or not any(names(one, (*path, key), whole=True) for one in patterns)
    }


def is_variable(value: object) -> bool:
    """Tell whether a value is a variable."""
    return isinstance(value, dict) and bool({"env", "interpolate"} & value.keys())


def names(pattern: str, path: KeyPath, *, whole: bool = False) -> bool:
    """Tell whether a pattern names a path, or unless that is ``whole``, something around it.

    What is of tiers may be in `[defaults]`.
    """
    parts = pattern.split(".")
    if parts[:2] == ["tiers", "*"] and path[:1] == ("defaults",):
        parts = ["defaults", *parts[2:]]
    if len(path) < len(parts) or (whole and len(path) > len(parts)):
        return False
    return all(fnmatchcase(str(at), part) for at, part in zip(path, parts, strict=False))
