"""Secrets that a source writes out: each becomes a variable, and its value is nowhere in what is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, count
from typing import Any

from msgspec import Struct

from anvil_gen.importing.texts import plain
from anvil_gen.inventory.literal_secrets import secret_places
from anvil_gen.text.flags import split_flag
from anvil_gen.text.masking import mask_text, mask_values
from anvil_gen.values import KeyPath

_ENTRIES = ("environment", "args")
"""Keys whose lists have entries like `NAME=value`."""
_INSIDE = ("default", "interpolate", "env")


class Hidden(Struct, kw_only=True):
    """The secrets of a source: by the variable that stands for each, and where one stood."""

    values: dict[str, str] = {}
    places: list[KeyPath] = []

    def shown(self, text: str) -> str:
        """Return a text without the secrets."""
        return mask_text(mask_values(text, self.values.values()))


def hide_secrets(data: dict[str, Any]) -> Hidden:
    """Put variables in place of the secrets in an inventory's data."""
    hidden = Hidden(values={}, places=[])
    for _ in range(3):  # what is in the place of one may hold another
        places = secret_places(data)
        for path in places:
            _hide(data, path, hidden)
        if not places:
            break
    return hidden


def _hide(data: dict[str, Any], path: KeyPath, hidden: Hidden) -> None:
    at = tuple(path[:-1]) if path[-1] in _INSIDE else tuple(path)
    parent = _at(data, at[:-1])
    value = _at(data, at)
    if value is None:
        return
    before = _before(value, is_entry=isinstance(parent, list) and at[-2] in _ENTRIES)
    written = _text(value)[len(before) + 1 :] if before else _text(value)
    written = plain(written) if before and isinstance(value, dict) else written
    name = _free_name(_name(data, at, value, before), str(at[1]) if len(at) > 1 else "", written, hidden)
    parent[at[-1]] = {"interpolate": f"{before}=${{{name}}}"} if before else {"env": name}
    hidden.values[name] = written
    hidden.places.append(at)


def _before(value: Any, *, is_entry: bool) -> str:
    """Return the flag, or the variable of a list's entry, that a secret is the value of; empty where it is neither."""
    if is_entry:
        name, equals, _ = _text(value).partition("=")
        return name if equals else ""
    return split_flag(value)[0] if isinstance(value, str) and "=" in value else ""


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("default", value.get("interpolate", "")))
    return "\n".join(map(_text, value)) if isinstance(value, list) else str(value)


def _name(data: Any, path: KeyPath, value: Any, flag: str) -> str:
    """Return how the variable of a secret is called: as the variable, the flag or the key that holds it."""
    if isinstance(value, dict) and "env" in value:
        return str(value["env"])
    before = _at(data, (*path[:-1], path[-1] - 1)) if isinstance(path[-1], int) and path[-1] > 0 else ""
    named = flag or (before if isinstance(before, str) and before.startswith("-") else "")
    named = named or next(str(part) for part in reversed(path) if isinstance(part, str))
    return re.sub("[^A-Z0-9]+", "_", named.upper()).strip("_0123456789") or "SECRET"


def _free_name(name: str, owner: str, value: str, hidden: Hidden) -> str:
    """Return a name that no other secret has."""
    prefix = re.sub("[^A-Z0-9]+", "_", owner.upper()).strip("_0123456789")
    names = chain((name, f"{prefix}_{name}"), (f"{prefix}_{name}_{number}" for number in count(2)))
    return next(one for one in names if hidden.values.get(one, value) == value)


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        found: Any = value
        value = found[part] if isinstance(value, dict | list) and _has(value, part) else None
    return value


def _has(value: Mapping[str, Any] | list[Any], part: Any) -> bool:
    return part in value if isinstance(value, dict) else isinstance(part, int) and 0 <= part < len(value)
