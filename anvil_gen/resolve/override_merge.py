"""How an override is merged into what is below it: a rendered service, or the override of another layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from anvil_gen.inventory.compose_decode import added_items, is_removal
from anvil_gen.inventory.env_references import TABLES
from anvil_gen.resolve.compose_keys import EMPTY_LISTS, by_name, compose_form, long_mount
from anvil_gen.resolve.model import Mount


class Removed(Struct, frozen=True):
    """In place of a value: the key shall not be there."""


class Added(Struct, frozen=True):
    """In place of a list: items that follow those below."""

    items: Sequence[Any]


class Replaced(Struct, frozen=True):
    """A value that is merged with nothing below: a lower layer removes the key, and a higher one sets it again."""

    value: Any


REMOVED = Removed()
_LEFT_OUT = object()


def add_layer(below: Mapping[str, Any], table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an override with that of a higher layer on top, which is written as the inventory has it."""
    if not table:
        return below
    from anvil_gen.inventory.compose_spec import Service  # noqa: PLC0415  only who writes overrides needs it
    from anvil_gen.inventory.struct_errors import type_info  # noqa: PLC0415

    merged: Mapping[str, Any] = merge(below, _override_form(table, type_info(Service)), removed=REMOVED)
    return merged


def _override_form(table: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    saying = {str(key): value for key, value in table.items() if value != [] or not _is_merged(str(key))}
    return {key: _value_form(key, value, kind) for key, value in saying.items()}


def _value_form(key: str, value: Any, parent: Any) -> Any:
    """Return a value of an override in Compose's form, or what stands for its removal or addition."""
    from anvil_gen.inventory.compose_decode import child_type  # noqa: PLC0415

    kind = child_type(parent, key)
    if kind is not None and is_removal(value, kind):
        return REMOVED
    if value == [] and key not in EMPTY_LISTS:  # in place of the list below
        return REMOVED
    added = added_items(value)
    if added is not None:
        items = compose_form(added, table=False)
        return items if _is_merged(key) else Added(items)
    formed = compose_form(value, table=key in TABLES)
    return _override_form(value, kind) if isinstance(formed, dict) else formed


def _is_merged(key: str) -> bool:
    """Return whether a list is merged with the one below it, instead of replacing it."""
    return key == "volumes" or key in _NAMES


def merge(below: Any, above: Any, *, key: str = "", removed: Any = _LEFT_OUT) -> Any:
    """Return ``below`` with ``above`` in it.

    Mappings merge deep, `volumes` by target, what Compose also takes as a mapping by name; everything else replaces.

    Args:
        below: what is there; None for nothing.
        above: an override, or one of its values.
        key: the key of both.
        removed: what stands for a key that the override removes; without it, such a key is left out.
    """
    if isinstance(below, Removed | Replaced):
        below_value = below.value if isinstance(below, Replaced) else None
        return Replaced(merge(below_value, above, key=key)) if not isinstance(above, Removed) else above
    if isinstance(above, Replaced):
        return above.value if removed is not REMOVED else above
    if isinstance(above, Added):
        return above if below is None and removed is REMOVED else _added(below, above)
    if key in _NAMES and isinstance(below, Mapping | Sequence) and isinstance(above, list | Mapping):
        below, above = _NAMES[key](below), _NAMES[key](above)
    if isinstance(above, Mapping):
        return _merged_mapping(below if isinstance(below, Mapping) else {}, above, removed)
    if key == "volumes" and isinstance(below, list | tuple) and isinstance(above, list):
        return type(below)(_by_target(below, above))
    return above


def _merged_mapping(below: Mapping[str, Any], above: Mapping[str, Any], removed: Any) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if not isinstance(value, Removed):
            merged[key] = merge(below.get(key), value, key=key, removed=removed)
        elif removed is _LEFT_OUT:
            merged.pop(key, None)
        else:
            merged[key] = removed
    return merged


def _added(below: Any, above: Added) -> Any:
    if isinstance(below, Added):
        return Added([*below.items, *above.items])
    if isinstance(below, list | tuple):
        return type(below)([*below, *above.items])
    return [below, *above.items] if isinstance(below, str) else above.items


def _by_target(below: Iterable[Any], above: Iterable[Any]) -> list[Any]:
    """Return mounts with others on top: a mount replaces the one with the same place in the container."""
    mounts = list(below)
    places = {_target(mount): index for index, mount in enumerate(mounts)}
    for mount in above:
        place = places.get(_target(mount))
        if place is None:
            mounts.append(mount)
        else:
            mounts[place] = mount
    return mounts


def _target(mount: Any) -> str:
    target = str(long_mount(mount if isinstance(mount, Mapping) else str(mount))["target"])
    return target.rstrip("/") or target


def _hosts(entries: Any) -> Any:
    """Return ``["name:address"]`` as the mapping that it stands for; an address may have colons too."""
    if not isinstance(entries, list) or not all(map(_is_text, entries)):
        return entries
    return by_name([text if "=" in text else text.replace(":", "=", 1) for text in entries])


def _networks(entries: Any) -> Any:
    return dict.fromkeys(filter(_is_text, entries)) if isinstance(entries, list | tuple) else entries


def _dependencies(entries: Any) -> Any:
    if not isinstance(entries, list):
        return entries
    return {name: {"condition": "service_started"} for name in filter(_is_text, entries)}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_NAMES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("additional_contexts", "annotations", "args", "environment", "labels", "sysctls"), by_name),
    "extra_hosts": _hosts,
    "networks": _networks,
    "depends_on": _dependencies,
}
"""Keys that Compose takes as a list or as a mapping -> the mapping that a list stands for."""


def as_mapping(key: str, value: Any) -> Any:
    """Return the value of a key in the form of a mapping, where Compose takes that too; None for anything else."""
    found = _NAMES[key](value)
    return found if isinstance(found, Mapping) else None


def declaring(override: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of an override for which its file declares something, as a service has them."""
    return {
        key: value.value if isinstance(value, Replaced) else value
        for key, value in override.items()
        if key in ("volumes", "networks", "secrets", "configs")
    }


def lost_mounts(mounts: Iterable[Mount], override: Mapping[str, Any], words: Iterable[str]) -> list[str]:
    """Return the places of mounts that an override drops although these words of the command name them."""
    below = [{"type": "bind", "source": mount.source, "target": mount.target} for mount in mounts]
    merged = merge({"volumes": below}, override).get("volumes") or ()
    kept = {_target(mount) for mount in merged}
    texts = list(words)
    return [str(mount.target) for mount in mounts if mount.target not in kept and _is_named(str(mount.target), texts)]


def _is_named(target: str, words: Iterable[str]) -> bool:
    return any(word.rpartition("=")[2] == target or f"{target}/" in word or word.endswith(target) for word in words)
