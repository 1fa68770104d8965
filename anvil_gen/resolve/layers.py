"""Options in layers: one ordered expression says who has the last word."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct

from anvil_gen.diagnostics import InternalError
from anvil_gen.resolve.model import Option, Options, Origin
from anvil_gen.values import KeyPath, Text, fill


class Layer(Struct, frozen=True, kw_only=True):
    """Options of one source, with the source's name and, for the inventory, the table's key path."""

    name: str
    values: Mapping[str, Any]
    path: KeyPath | None = None


def set_fields(table: Struct) -> dict[str, Any]:
    """Return the keys of an inventory's table that are written there."""
    return {name: value for name in table.__struct_fields__ if (value := getattr(table, name)) is not UNSET}


def layered(*layers: Layer) -> Options:
    """Merge layers, lowest first: tables by key, everything else replaces.

    The first is the roster: no later one may bring an option that it does not list.
    """
    roster = layers[0].values
    merged: dict[str, Option] = {}
    for layer in layers:
        whole = Origin(layer=layer.name)
        for name, value in layer.values.items():
            if name not in roster:
                raise InternalError(f'{layer.name}: "{name}" is no option of {layers[0].name}')
            below = merged[name].value if name in merged and isinstance(value, dict) else None
            both = {**below, **value} if isinstance(below, dict) else value
            origin = whole if layer.path is None else Origin(layer=layer.name, path=(*layer.path, name))
            merged[name] = Option(value=both, origin=origin)
    return Options(merged)


def fill_placeholders(defaults: Mapping[str, Any], values: Mapping[str, Text]) -> dict[str, Any]:
    """Return defaults with their placeholders filled."""
    return {name: fill(value, values) if isinstance(value, str) else value for name, value in defaults.items()}
