"""What somebody has edited in an inventory, key by key, and an inventory with one edit taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.values import KeyPath

_NAMED = ("tiers", "gpus", "services", "modes")
"""Tables whose entries are things of their own: one is added or removed as a whole."""
_NAMED_PATHS = tuple((name,) for name in _NAMED)
_WHOLE = ("router", "experiment")
_ONE_THING = ("model", "draft_model", "mmproj")
"""Tables that describe one thing, so that a person says of the thing that it has changed."""


class Edit(Struct, frozen=True, kw_only=True):
    """One key that differs; None where it is not written. One that is a rename has the names of a table."""

    path: KeyPath  # with the index of an item, where only one of a list is another
    before: Any
    after: Any
    is_rename: bool = False


def edits(before: Mapping[str, Any], after: Mapping[str, Any], path: KeyPath = ()) -> Iterator[Edit]:
    """Yield the differences between two TOML documents, in the order of the later one.

    Taken back one after the other, they lead to the earlier one: what differs in a renamed table is before its rename.
    """
    renamed = _renamed(before, after) if path in _NAMED_PATHS else {}
    for key in dict.fromkeys((*after, *before)):
        one, other, here = before.get(key), after.get(key), (*path, key)
        if _is_same(one, other) or key in renamed.values():
            continue
        if key in renamed:
            yield from edits(before[renamed[key]], after[key], here)
            yield Edit(path=here, before=renamed[key], after=key, is_rename=True)
        elif _is_one(here, one, other):
            yield Edit(path=here, before=one, after=other)
        else:
            yield from edits(one or {}, other or {}, here)


def _renamed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Return tables that have another name now, each with the name before: most of what they say is the same."""
    gone = {name: table for name, table in before.items() if name not in after and isinstance(table, dict)}
    found: dict[str, str] = {}
    for name, table in after.items():
        if name not in before and isinstance(table, dict):
            alike = [old for old in gone if old not in found.values() and _is_alike(gone[old], table)]
            if alike:
                found[name] = alike[0]
    return found


def _is_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    shared = sum(_is_same(value, other.get(key)) for key, value in one.items())
    return shared > 0 and 2 * shared >= max(len(one), len(other))


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are rendered alike: 0.90 is not 0.9, and true not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return type(one) is type(other) and one == other and str(one) == str(other)


def _is_one(path: KeyPath, before: Any, after: Any) -> bool:
    """Tell whether a difference is one, and not one of each key below."""
    if not all(isinstance(value, dict | None) for value in (before, after)) or _is_reference(before, after):
        return True
    if before is None or after is None:
        is_thing = len(path) == 2 and path[0] in _NAMED
        return is_thing or (len(path) == 1 and path[0] in _WHOLE) or not (before or after)
    return path[-1] in _ONE_THING and path[0] in ("tiers", "defaults")


def _is_reference(*values: Any) -> bool:
    return any(isinstance(value, dict) and ("env" in value or "interpolate" in value) for value in values)


def reverted(data: Mapping[str, Any], edit: Edit) -> dict[str, Any]:
    """Return a document in which one key has again the value that it had before an edit, or a table its name."""
    if edit.is_rename:
        table, name = map(str, edit.path)
        entries = {edit.before if key == name else key: value for key, value in data[table].items()}
        return {**data, table: entries}
    changed: dict[str, Any] = _with(data, edit.path, edit.before)
    return changed


def _with(data: Any, path: KeyPath, value: Any) -> Any:
    """Return tables or a list with another value at a path; None removes it."""
    key, *rest = path
    if isinstance(data, list):
        index = int(key)
        inner = [_with(data[index], tuple(rest), value)] if rest else [] if value is None else [value]
        return [*data[:index], *inner, *data[index + 1 :]]
    if rest:
        return {**data, key: _with(data.get(key, {}), tuple(rest), value)}
    kept = {name: item for name, item in data.items() if name != key or value is not None}
    return kept if value is None else {**kept, key: value}


def toml_text(data: Mapping[str, Any]) -> str:
    """Return a document as TOML: a key a line."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in data.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_text(key)} = {_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else str(value)


def _text(text: str) -> str:
    # The escapes of JSON are among those of TOML, but for a surrogate pair and the character above all others of ASCII.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value_text(value: Any) -> str:
    """Return a value of an inventory as a person says it: a model by its name, a list by its items."""
    if isinstance(value, dict):
        named = [str(value[key]) for key in ("repo", "path", "file", "env") if key in value]
        return "@".join([*named, *([str(value["revision"])] if "revision" in value else [])]) or _value(value)
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
