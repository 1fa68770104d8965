"""Options in layers: one ordered expression says who has the last word."""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import UNSET, Struct
from msgspec.structs import astuple

from anvil_gen.diagnostics import InternalError
from anvil_gen.resolve.options import Options, Origin
from anvil_gen.resolve.override_merge import add_layer
from anvil_gen.values import KeyPath

_Options = TypeVar("_Options", bound=Options)


class Layer(Struct, frozen=True, kw_only=True):
    """Options of one source, with the source's name and, for the inventory, the table's key path."""

    name: str
    values: Mapping[str, Any]
    path: KeyPath | None = None


def set_fields(table: Struct) -> dict[str, Any]:
    """Return the keys of an inventory's table that are written there."""
    written = zip(table.__struct_fields__, astuple(table), strict=True)
    return {name: value for name, value in written if value is not UNSET}


def layered(kind: type[_Options], *layers: Layer) -> _Options:
    """Merge layers, lowest first: tables by key, overrides deep, everything else replaces.

    The first is the roster: it has every option of ``kind``, and no later one may bring another.
    """
    roster, values, origins = layers[0].values, dict[str, Any](), dict[str, Origin]()
    for layer in layers:
        whole = Origin(layer=layer.name)
        for name, value in layer.values.items():
            if name not in roster:
                raise InternalError(f'{layer.name}: "{name}" is no option of {layers[0].name}')
            below = values.get(name)
            values[name] = _merged(name, below, value)
            origins[name] = whole if layer.path is None else Origin(layer=layer.name, path=(*layer.path, name))
    return kind(**values, origins=origins)


def _merged(name: str, below: Any, value: Any) -> Any:
    if name == "override":
        return add_layer(below or {}, value)
    return {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
