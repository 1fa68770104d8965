"""Variables in the typed fields of an inventory: `{ env = "NAME", default = … }` and `{ interpolate = "…" }`.

A field is decoded as its default, which its own rules check; the variable is put back into the decoded inventory, so
that what reckons with the value has the default, and what writes a compose file has the variable
(`anvil_gen.values.Variable`). Which fields may be one is said by their types, in `anvil_gen.inventory.fields`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import UNSET, Struct
from msgspec import inspect as types
from msgspec.structs import force_setattr

from anvil_gen.diagnostics import join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import KEYS, reference, reference_error
from anvil_gen.inventory.fields import NEEDS_DEFAULT, VARIABLE
from anvil_gen.inventory.schema import Inventory
from anvil_gen.patterns import lazy_pattern
from anvil_gen.text.interpolation import fill_variables, unset_variables
from anvil_gen.values import KeyPath, Number, Text, address, compose_text, with_reference

_MAY_HAVE_ONE = lazy_pattern(r"(?i)(?<![\w-])(?:env(?!ironment)|interpol|default(?!s))")
"""What is in the text of every inventory with variables, misspelt ones too."""
_SCALARS = (types.StrType, types.IntType, types.CustomType, types.BoolType, types.LiteralType)
_ANY = types.AnyType()
_Kind = tuple[types.Type, str]
"""One of the types that a value may be of, and the mark of those that may be a variable."""


class Reference(Struct, frozen=True, kw_only=True):
    """A variable of a typed field: its text, whether it has a default, the key that says it, and its type's mark."""

    text: Text
    has_default: bool
    key: str
    mark: str


def take_references(collector: Collector, data: dict[str, Any]) -> tuple[dict[str, Any], dict[KeyPath, Reference]]:
    """Return the data of an inventory with the defaults in place of the variables, and these by their places.

    A variable that is wrong is reported, and left out.
    """
    if not _MAY_HAVE_ONE.search(collector.document.text):
        return data, {}
    taker = _Taker(collector)
    return taker.take(data, _inventory_type(), ()), taker.found


@cache
def _inventory_type() -> types.Type:
    return types.type_info(Inventory)


class _Shape(Struct, frozen=True, kw_only=True):
    """What a value of a type may be."""

    items: types.Type  # of a list
    fields: Mapping[str, types.Type] | None  # of a table with fixed keys
    entries: types.Type | None  # of one with free keys
    scalars: tuple[_Kind, ...]

    @property
    def only_scalars(self) -> bool:
        """Whether no table is one, and a variable may stand for it."""
        return self.fields is None and self.entries is None and any(mark for _, mark in self.scalars)


_SHAPES: dict[int, _Shape] = {}
"""By the identities of types, which live as long as the type of an inventory: it is made once."""


def _shape(kind: types.Type) -> _Shape:
    known = _SHAPES.get(id(kind))
    return known if known is not None else _SHAPES.setdefault(id(kind), _shape_of(kind))


def _shape_of(kind: types.Type) -> _Shape:
    kinds = list(_alternatives(kind, ""))
    struct = next((one for one, _ in kinds if isinstance(one, types.StructType)), None)
    return _Shape(
        items=next((one.item_type for one, _ in kinds if isinstance(one, types.ListType)), _ANY),
        fields=None if struct is None else {field.encode_name: field.type for field in struct.fields},
        entries=next((one.value_type for one, _ in kinds if isinstance(one, types.DictType)), None),
        scalars=tuple((one, mark) for one, mark in kinds if isinstance(one, _SCALARS)),
    )


class _Taker:
    """Takes the variables out of data; ``found`` has them."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self.found: dict[KeyPath, Reference] = {}

    def take(self, value: Any, kind: types.Type, path: KeyPath) -> Any:
        """Return a value without its variables; UNSET for a variable without a default."""
        if not isinstance(value, list | dict):
            return value
        shape = _shape(kind)
        if isinstance(value, list):
            taken = [self.take(item, shape.items, (*path, index)) for index, item in enumerate(value)]
            wrong = any(item is UNSET and (*path, index) not in self.found for index, item in enumerate(taken))
            return UNSET if wrong else ["" if item is UNSET else item for item in taken]
        fields, entries = shape.fields or {}, shape.entries
        is_one = any(key in value and key not in fields for key in KEYS)
        if shape.scalars and (is_one or (value and shape.only_scalars)):
            return self._reference(value, shape.scalars, path)
        taken_of = {
            key: self.take(item, fields.get(key, entries or _ANY), (*path, key))
            if isinstance(item, list | dict)
            else item
            for key, item in value.items()
        }
        # An entry stays under its name, which is checked too.
        return {
            key: "" if item is UNSET else item
            for key, item in taken_of.items()
            if item is not UNSET or (entries is not None and (*path, key) in self.found)
        }

    def _reference(self, table: dict[str, Any], kinds: Sequence[_Kind], path: KeyPath) -> Any:
        """Return the default of a variable, which is noted; UNSET where it has none, or is wrong."""
        mark = next((mark for _, mark in kinds if mark), "")
        problem = reference_error(table, typed=True)
        if not mark:
            detail = "it decides what is rendered, or stands in files in which Compose puts no variables"
            self._wrong("variable-where-a-value-is-needed", path, detail, "write the value itself")
        elif problem is not None:
            key, detail, remedy = problem
            self._collector.drop(path)
            self._collector.add("invalid-form", (*path, key), detail, remedy, key=key not in (*KEYS, "default"))
        else:
            return self._noted(table, kinds, mark, path)
        return UNSET

    def _wrong(self, code: str, path: KeyPath, detail: str, remedy: str) -> None:
        self._collector.drop(path)
        self._collector.add(code, path, detail, remedy)

    def _noted(self, table: dict[str, Any], kinds: Sequence[_Kind], mark: str, path: KeyPath) -> Any:
        text = reference(table, typed=True)
        if text is None:
            raise LookupError(address(path))
        key = "interpolate" if "interpolate" in table else "default"
        literal = _interpolated(text, kinds) if key == "interpolate" else table.get("default", UNSET)
        if literal is UNSET and mark == NEEDS_DEFAULT:
            detail = "checks reckon with its value, or other files hold it"
            self._wrong("variable-without-a-default", path, detail, _with_default(table))
            return UNSET
        self.found[path] = Reference(text=text, has_default=literal is not UNSET, key=key, mark=mark)
        return literal


def _alternatives(kind: types.Type, mark: str) -> Iterator[_Kind]:
    """Yield the types that a value may be of."""
    if isinstance(kind, types.Metadata):
        yield from _alternatives(kind.type, (kind.extra_json_schema or {}).get(VARIABLE, mark))
    elif isinstance(kind, types.UnionType):
        for choice in kind.types:
            yield from _alternatives(choice, mark)
    else:
        yield kind, mark


def _interpolated(text: Text, kinds: Sequence[_Kind]) -> Any:
    """Return what a text is where no variable is set, as one of these types; UNSET where it needs one."""
    written = compose_text(text)
    if next(unset_variables(written, {}), None) is not None:
        return UNSET
    literal = fill_variables(written, {})
    if any(isinstance(kind, types.StrType) for kind, _ in kinds):
        return literal
    if any(isinstance(kind, types.IntType) for kind, _ in kinds) and re.fullmatch("[0-9]{1,18}", literal):
        return int(literal)
    if any(isinstance(kind, types.CustomType) for kind, _ in kinds) and re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", literal):
        return Number(literal)
    return literal


def _with_default(table: dict[str, Any]) -> str:
    if "interpolate" in table:
        return "give each variable in it a default: ${NAME:-default}"
    return f'add one: {{ env = "{table["env"]}", default = … }}'


def put_back(inventory: Inventory, references: Mapping[KeyPath, Reference]) -> None:
    """Put the variables into a decoded inventory; those whose default was wrong are left out."""
    for path, found in references.items():
        parent = _value_at(inventory, path[:-1])
        literal = _value_at(parent, path[-1:])
        if parent is None or (literal is None and found.has_default):
            continue
        value = with_reference("" if literal is None else literal, found.text)
        if isinstance(parent, Struct):
            force_setattr(parent, str(path[-1]), value)
        else:
            parent[path[-1]] = value


def _value_at(value: Any, path: KeyPath) -> Any:
    """Return what is at a place; None where nothing is, or what was there was wrong."""
    for part in path:
        if isinstance(value, Struct):
            value = getattr(value, str(part), None)
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            value = value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
        value = None if value is UNSET else value
    return value


def warn_of_defaults(collector: Collector, references: Mapping[KeyPath, Reference]) -> None:
    """Say once that checks reckon with defaults, of which a variable may be another value."""
    places = [path for path, found in references.items() if found.mark == NEEDS_DEFAULT]
    if places:
        named = join_words((address(path) for path in places), limit=5)
        detail = f"of {named} they know the default, and not what the variable is when Compose reads it"
        remedy = "run anvil-gen doctor on the host, which reads its .env"
        collector.add("checks-use-defaults", places[0], detail, remedy, severity="warning")
