"""All that is wrong with the types of Compose's own keys, where an inventory writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec import inspect as types

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.decode import CODES
from anvil_gen.inventory.env_references import env_reference, reference, reference_error
from anvil_gen.inventory.struct_errors import Decoder, accepts, type_info
from anvil_gen.values import KeyPath

REMOVAL = {"remove": True}
"""What an override writes in place of a value whose key shall not be there."""


def check_types(collector: Collector, path: KeyPath, table: Mapping[str, Any], kind: Any, *, override: bool) -> None:
    """Report what is wrong with the types of a table in Compose's own keys.

    ``override``: it may remove keys, and add to lists.
    """
    try:
        msgspec.convert(table, kind)
    except msgspec.ValidationError:
        decoder = _OwnKeysDecoder(override=override)
        decoder.decode_all(table, type_info(kind), path)
        for error in decoder.errors.values():
            if not isinstance(collector.value_at(error.path), date | time):  # of which every place is reported
                collector.add(CODES[error.kind], error.path, error.detail, error.remedy, key=error.at_key)
                collector.drop(error.path)


def added_items(value: Any) -> list[Any] | None:
    """Return what an override adds to a list; None for any other value."""
    added = value.get("add") if isinstance(value, Mapping) and len(value) == 1 else None
    return added if isinstance(added, list) else None


class _OwnKeysDecoder(Decoder):
    """Takes a reference to a variable wherever Compose takes a text, and ``x-`` keys in every mapping."""

    def __init__(self, *, override: bool) -> None:
        super().__init__()
        self._override = override

    def decode(self, value: Any, kind: types.Type, path: KeyPath, hints: Mapping[str, Any] | None = None) -> Any:
        if isinstance(value, dict) and reference_error(value) is not None:  # reported for every table there is
            return UNSET
        if _takes_text(kind) and reference(value) is not None:
            variable = env_reference(value)
            if variable is None or variable.default is None:
                return UNSET
            value, path = variable.default, (*path, "default")
        if self._override and len(path) > 0 and is_removal(value, kind):
            return UNSET
        added = added_items(value) if self._override and accepts(kind, []) else None
        if added is not None:
            value, path = added, (*path, "add")
        return super().decode(value, kind, path, hints)

    def struct(self, table: dict[str, Any], kind: types.StructType, path: KeyPath) -> Any:
        plain = {key: value for key, value in table.items() if not key.startswith("x-")}
        return super().struct(plain, kind, path)


def _takes_text(kind: types.Type) -> bool:
    if isinstance(kind, types.UnionType):
        return any(map(_takes_text, kind.types))
    if isinstance(kind, types.LiteralType):
        return all(isinstance(value, str) for value in kind.values)
    return _takes_text(kind.type) if isinstance(kind, types.Metadata) else isinstance(kind, types.StrType)


def child_type(kind: types.Type | None, key: str) -> types.Type | None:
    """Return the type of an entry of a mapping; None where nothing is known of it."""
    if isinstance(kind, types.UnionType):
        return next((found for choice in kind.types if (found := child_type(choice, key)) is not None), None)
    if isinstance(kind, types.StructType):
        return next((field.type for field in kind.fields if field.encode_name == key), None)
    if isinstance(kind, types.Metadata):
        return child_type(kind.type, key)
    return kind.value_type if isinstance(kind, types.DictType) else None


def is_removal(value: Any, kind: types.Type) -> bool:
    """Return whether an override removes the key of a value: ``false``, where Compose takes no boolean, does too."""
    return value == REMOVAL or (value is False and not accepts(kind, False))
