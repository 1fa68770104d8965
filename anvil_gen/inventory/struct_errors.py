"""All errors of a value against its msgspec type, and the value without them: msgspec reports only the first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sized
from functools import cache, partial
from typing import Any, Literal

from msgspec import UNSET, Struct
from msgspec import inspect as types
from msgspec.structs import replace

from anvil_gen.diagnostics import MOST_ERRORS, did_you_mean, join_words
from anvil_gen.inventory.fields import COMPOSE, VARIABLE
from anvil_gen.inventory.near_values import keys_between_dots, nearest, nearest_word, plain_name, with_unit_of
from anvil_gen.inventory.shown_values import example, plain_text, show, type_name
from anvil_gen.text.interpolation import as_variable, looks_interpolated
from anvil_gen.text.masking import may_hold_secret, secret_part
from anvil_gen.values import KeyPath, Number, address

ErrorKind = Literal["unknown key", "renamed key", "missing key", "name", "type", "choice", "form", "range", "NUL"]

_ANY = types.DictType(key_type=types.StrType(), value_type=types.AnyType())
_ANY_LIST = types.ListType(item_type=types.AnyType())
_TYPES: dict[type[types.Type], tuple[tuple[type, ...], str]] = {
    types.StrType: ((str,), "text in quotes"),
    types.IntType: ((int,), "a whole number"),
    types.FloatType: ((int, float, Number), "a number"),
    types.CustomType: ((int, Number), "a number"),
    types.BoolType: ((bool,), "true or false"),
    types.ListType: ((list,), "a list"),
    types.VarTupleType: ((list,), "a list"),
    types.DictType: ((dict,), "a table"),
    types.StructType: ((dict,), "a table"),
    types.NoneType: ((), ""),
}
"""What a type accepts, and how messages call it."""


class StructError(Struct, frozen=True, kw_only=True):
    """One place of a value that is not as its type requires."""

    path: KeyPath
    kind: ErrorKind
    detail: str
    remedy: str = ""
    at_key: bool = False
    """It is about the key of ``path``, not about its value."""
    kept: bool = False
    """The value of ``path`` is read all the same."""

    @property
    def text(self) -> str:
        """Detail and remedy as one text."""
        return f"{self.detail}; {self.remedy}" if self.remedy else self.detail


class _Problem(Struct, frozen=True):
    """What is wrong with one value, wherever it is."""

    kind: ErrorKind
    detail: str
    remedy: str = ""


class _TooManyErrors(Exception):  # noqa: N818  it ends a search
    """Nobody reads more of them."""


def decode_number(kind: type, value: Any) -> Any:
    """Return a share of a GPU as a `Number`: msgspec's hook for types that it does not know.

    Raises:
        ValueError: it is not above 0 and at most 1, or of another type.
    """
    if kind is Number and type(value) in (int, Number) and 0 < value <= 1:
        return Number(str(value))
    raise ValueError(f"{value} is not above 0 and at most 1")


def unknown_names(named: Iterable[tuple[KeyPath, str]], known: Iterable[str]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the places of names that are no known option, each with what is wrong."""
    for path, name in named:
        if name not in known:
            yield path, f'"{name}" is no option: {did_you_mean(name, known) or join_words(known, limit=40)}'


def struct_errors(value: Any, kind: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield each place of a value that is not as its type requires, and what is wrong there."""
    yield from ((error.path, error.text) for error in decode_valid(value, kind, path)[1])


def decode_valid(value: Any, kind: Any, path: KeyPath = ()) -> tuple[Any, list[StructError]]:
    """Return a value as its type without all that is wrong in it, and the errors: one for each place.

    A list with a wrong item is left out as a whole, and so is a table that lacks a required key. A table at the top
    level keeps its entries under names that are not allowed. What is wrong as a whole, or in too many places, is UNSET.
    """
    decoder = Decoder()
    decoded = decoder.decode_all(value, type_info(kind), path)
    return decoded, [*decoder.errors.values()]


@cache
def type_info(kind: Any) -> types.Type:
    """Return what msgspec knows of a type."""
    return types.type_info(kind)


class Decoder:
    """Decodes a value; ``errors`` has the first error of each place."""

    def __init__(self) -> None:
        """Start without errors."""
        self.errors: dict[KeyPath, StructError] = {}

    def decode_all(self, value: Any, kind: types.Type, path: KeyPath) -> Any:
        """Return a value as its type, UNSET where it is wrong or has so many errors that the search ends."""
        try:
            return self.decode(value, kind, path)
        except _TooManyErrors:
            return UNSET

    def decode(self, value: Any, kind: types.Type, path: KeyPath, hints: Mapping[str, Any] | None = None) -> Any:
        """Return a value as its type, UNSET where it is wrong; ``hints`` is what the JSON Schema says of the type."""
        hints = hints or {}
        if isinstance(kind, types.Metadata):
            mark = {key: hints[key] for key in (VARIABLE,) if key in hints}
            return self.decode(value, kind.type, path, {**mark, **(kind.extra_json_schema or {})})
        if isinstance(kind, types.UnionType):
            alternative = next((choice for choice in kind.types if accepts(choice, value)), None)
            if alternative is not None:
                return self.decode(value, alternative, path, hints)
        problem = _problem(value, kind, path, hints)
        if problem is not None:
            remedy = _meant_value(value, kind, path, hints) or problem.remedy
            if VARIABLE in hints and isinstance(value, str) and looks_interpolated(value):
                remedy = as_variable(value)
            self._add(path, _Problem(problem.kind, problem.detail, remedy))
            return UNSET
        if isinstance(value, dict):
            return (
                self.struct(value, kind, path) if isinstance(kind, types.StructType) else self._dict(value, kind, path)
            )
        if isinstance(value, list):
            return self._list(value, kind, path)
        if isinstance(kind, types.FloatType):
            return float(value)
        return decode_number(kind.cls, value) if isinstance(kind, types.CustomType) else value

    def _add(self, path: KeyPath, problem: _Problem, *, at_key: bool = False, kept: bool = False) -> None:
        error = StructError(
            path=path, kind=problem.kind, detail=problem.detail, remedy=problem.remedy, at_key=at_key, kept=kept
        )
        self.errors.setdefault(path, error)
        if len(self.errors) == MOST_ERRORS:
            raise _TooManyErrors

    def struct(self, table: dict[str, Any], kind: types.StructType, path: KeyPath) -> Any:
        """Return a table as its struct; UNSET where it lacks a required key."""
        fields = {field.encode_name: field for field in kind.fields}
        table = self._renamed(table, getattr(kind.cls, "RENAMED", {}), path)
        unknown = [key for key in table if key not in fields]
        own = [name for name, field in fields.items() if unknown and not _is_compose_s(field.type)]
        for key in unknown:
            remedy = _meant(key, table[key], fields, kind.cls) or f"keys here: {join_words(own, limit=40)}"
            problem = _Problem("unknown key", f'"{key}" is not a key of this table', remedy)
            self._add((*path, key), problem, at_key=True)
        required = [name for name, field in fields.items() if field.required]
        for name in required:
            if name not in table and not did_you_mean(name, unknown):
                self._missing(fields[name], path)
        values = {
            name: self.decode(table[name], field.type, (*path, name)) for name, field in fields.items() if name in table
        }
        valid = {name: value for name, value in values.items() if value is not UNSET}
        given = {fields[name].name: value for name, value in valid.items()}
        return kind.cls(**given) if valid.keys() >= set(required) else UNSET

    def _renamed(self, table: dict[str, Any], names: Mapping[str, str], path: KeyPath) -> dict[str, Any]:
        """Report keys by former names, and return the table with the present ones, so that nothing follows from it."""
        for old in [key for key in table if key in names]:
            new = names[old]
            plain = not isinstance(table[old], dict | list)
            remedy = f"write {new} = {show(table[old])}" if plain else ""
            remedy = f'remove it: "{new}" is set' if new in table else remedy
            problem = _Problem("renamed key", f'"{old}" is now called "{new}"', remedy)
            self._add((*path, old), problem, at_key=True)
            table = {new: table[old], **{key: value for key, value in table.items() if key != old}}
        return table

    def _missing(self, field: types.Field, path: KeyPath) -> None:
        hints = field.type.extra_json_schema if isinstance(field.type, types.Metadata) else None
        name = field.encode_name
        # A table may lack several keys: one error for each of them.
        self.errors[(*path, name)] = StructError(
            path=path, kind="missing key", detail=f'"{name}" is not set', remedy=_help(hints or {}), at_key=True
        )

    def _dict(self, table: dict[str, Any], kind: types.Type, path: KeyPath) -> Any:
        kind = kind if isinstance(kind, types.DictType) else _ANY
        decoded = {}
        for name, value in table.items():
            problem, kept = _name_problem(name, kind.key_type, path), len(path) == 1 and isinstance(value, dict)
            if problem is not None:
                self._add((*path, name), problem, at_key=True, kept=kept)
            item = self.decode(value, kind.value_type, (*path, name))
            if item is UNSET:
                self._say_name((*path, name), keys_between_dots(value, partial(accepts, kind.value_type)))
            if item is not UNSET and (problem is None or kept):
                decoded[name] = item
        return decoded

    def _say_name(self, path: KeyPath, keys: list[str]) -> None:
        """Say that a name with a dot stands in quotes, where what was read as tables is that."""
        error = self.errors.get(path)
        if keys and error is not None and secret_part(path) is None:
            name = f'{".".join(map(str, path[1:-1]))}."{".".join([str(path[-1]), *keys])}"'
            self.errors[path] = replace(error, remedy=f"a dot ends a key: write {name} = …")

    def _list(self, items: list[Any], kind: types.Type, path: KeyPath) -> Any:
        kind = kind if isinstance(kind, types.ListType | types.VarTupleType) else _ANY_LIST
        decoded = [self.decode(item, kind.item_type, (*path, index)) for index, item in enumerate(items)]
        if any(item is UNSET for item in decoded):
            return UNSET
        return tuple(decoded) if isinstance(kind, types.VarTupleType) else decoded


def _is_compose_s(kind: types.Type) -> bool:
    """Tell whether a key is Compose's, which people do not seek here."""
    if isinstance(kind, types.UnionType):
        return any(map(_is_compose_s, kind.types))
    return isinstance(kind, types.Metadata) and COMPOSE in (kind.extra_json_schema or {})


def _meant(key: str, value: Any, fields: Mapping[str, types.Field], table: type) -> str:
    """Return what an unknown key may mean: what is called otherwise here, a key that is near, or an engine's flag."""
    names: Mapping[str, str] = getattr(table, "CALLED_ELSEWHERE", {})
    word, plain = key.lower().replace("-", "_"), not isinstance(value, dict | list) and not may_hold_secret(key)
    if names.get(word) in fields:
        shown = show(with_unit_of(word, value, lambda one: _is_valid(one, fields[names[word]].type, (), {})))
        return f"here it is called {names[word]}" + (f": write {names[word]} = {shown}" if plain else "")
    near = did_you_mean(key, fields)
    if near or "flags" not in fields:
        return near
    written = f" = {show(value)}" if plain else ""
    return f"a flag of the engine is written flags.{word.replace('_', '-')}{written}; docs/inventory.md has the keys"


def _meant_value(value: Any, kind: types.Type, path: KeyPath, hints: Mapping[str, Any]) -> str:
    """Return what to write instead of a wrong value, where it is clear what it means."""
    if secret_part(path) is not None:
        return ""
    meant = nearest(value, lambda one: _is_valid(one, kind, path, hints), hints.get("x-unit", ""))
    if meant is None:
        return ""
    return f"write {'it in quotes: ' if isinstance(meant, str) and meant == str(value) else ''}{show(meant)}"


def _is_valid(value: Any, kind: types.Type, path: KeyPath, hints: Mapping[str, Any]) -> bool:
    if isinstance(kind, types.Metadata):
        return _is_valid(value, kind.type, path, {**hints, **(kind.extra_json_schema or {})})
    if isinstance(kind, types.UnionType):
        return any(_is_valid(value, choice, path, hints) for choice in kind.types)
    return accepts(kind, value) and _problem(value, kind, path, hints) is None


def accepts(kind: types.Type, value: Any) -> bool:
    """Return whether a value is of a type's kind, whatever its range and form."""
    if isinstance(kind, types.Metadata):
        return accepts(kind.type, value)
    if isinstance(kind, types.UnionType):
        return any(accepts(choice, value) for choice in kind.types)
    if isinstance(kind, types.LiteralType):
        return any(type(choice) is type(value) and choice == value for choice in kind.values)
    return isinstance(kind, types.AnyType) or type(value) in _TYPES[type(kind)][0]


def _problem(value: Any, kind: types.Type, path: KeyPath, hints: Mapping[str, Any]) -> _Problem | None:
    """Return what is wrong with a value itself, without what is in it."""
    if isinstance(value, str) and "\0" in value:
        return _Problem("NUL", "no path, argument or variable can hold it", "remove it")
    if type(value) is int and not -(2**63) <= value < 2**63:
        return _Problem("range", "TOML's whole numbers have 64 bits", "write a smaller number, or text in quotes")
    if isinstance(kind, types.LiteralType) and not accepts(kind, value):
        remedy = did_you_mean(str(value), map(str, kind.values)) or _help(hints)
        return _Problem("choice", f"{show(value)} is not one of: {', '.join(map(show, kind.values))}", remedy)
    if not accepts(kind, value):
        detail = f"{show(value)} is {type_name(value)}; it should be {' or '.join(_type_words(kind))}"
        return _Problem("type", detail, _type_remedy(value, kind, path, hints))
    if isinstance(kind, types.StrType):
        return _form_problem(value, kind, hints)
    if isinstance(kind, types.IntType | types.FloatType | types.CustomType):
        return _range_problem(value, kind, hints)
    if isinstance(kind, types.ListType | types.DictType):
        return _length_problem(value, kind, hints)
    return None


def _length_problem(value: Sized, kind: types.ListType | types.DictType, hints: Mapping[str, Any]) -> _Problem | None:
    if len(value) < (kind.min_length or 0):
        few = f"it has {len(value)}; at least {kind.min_length} are needed" if value else "it is empty"
        return _Problem("form", few, _help(hints))
    if kind.max_length is not None and len(value) > kind.max_length:
        return _Problem("form", f"it has {len(value)} entries; at most {kind.max_length} are allowed", _help(hints))
    return None


def _name_problem(name: str, kind: types.Type, path: KeyPath) -> _Problem | None:
    """Return what is wrong with the name of an entry of the table at ``path``."""
    kind, hints = (kind.type, kind.extra_json_schema or {}) if isinstance(kind, types.Metadata) else (kind, {})
    problem = _problem(name, kind, path, hints)
    if problem is None or problem.kind == "NUL":
        return problem
    remedy = problem.remedy or "write another name"
    plain = plain_name(name)
    if len(path) == 1 and _problem(plain, kind, path, hints) is None:
        remedy = f"write {address((*path, plain))}. {remedy}"
    return _Problem("name", problem.detail, remedy)


def _form_problem(value: str, kind: types.StrType, hints: Mapping[str, Any]) -> _Problem | None:
    if kind.max_length is not None and len(value) > kind.max_length:
        length = f"has {len(value)} characters; at most {kind.max_length} are allowed"
        return _Problem("form", f"{show(value)} {length}", _help(hints))
    if len(value) < (kind.min_length or 0):
        return _Problem("form", show(value), _help(hints))
    if kind.pattern is not None and not re.search(kind.pattern, value):
        return _Problem(
            "form", show(value), nearest_word(value, kind.pattern, hints.get("description", "")) or _help(hints)
        )
    return None


def _range_problem(
    value: float, kind: types.IntType | types.FloatType | types.CustomType, hints: Mapping[str, Any]
) -> _Problem | None:
    if isinstance(kind, types.CustomType):  # msgspec takes no range for it: the JSON Schema has it
        low, above, high = hints.get("minimum"), hints.get("exclusiveMinimum"), hints.get("maximum")
    else:
        low, above, high = kind.ge, kind.gt, kind.le
    is_low = (low is not None and not value >= low) or (above is not None and not value > above)
    if not is_low and (high is None or value <= high):
        return None
    if above is not None:
        bounds = f"above {above} and at most {high}"
    elif high is None:
        bounds = f"{low} or more"
    else:
        bounds = f"from {low} to {high}" if low != high else str(low)
    return _Problem("range", f"{value} is not {bounds}", _help(hints))


def _type_words(kind: types.Type) -> list[str]:
    """Return how messages call what a type accepts."""
    if isinstance(kind, types.Metadata):
        return _type_words(kind.type)
    if isinstance(kind, types.UnionType):
        return [word for choice in kind.types for word in _type_words(choice)]
    if isinstance(kind, types.LiteralType):
        return [show(value) for value in kind.values]
    word = _TYPES[type(kind)][1]
    return [word] if word else []


def _type_remedy(value: Any, kind: types.Type, path: KeyPath, hints: Mapping[str, Any]) -> str:
    """Return what to write instead of a value of another type."""
    if isinstance(kind, types.UnionType) and isinstance(value, list):
        kind = next((choice for choice in kind.types if isinstance(choice, types.StructType)), kind)
    if isinstance(kind, types.StructType):
        names = [field.encode_name for field in kind.fields]
        keys = f", with {join_words(names)}" if len(names) <= 6 else ""
        return f"write it as a table: [{address(path)}]{keys}"
    if isinstance(kind, types.DictType):
        entry = ".NAME" if isinstance(kind.value_type, types.StructType | types.DictType) else ""
        return f"write it as a table: [{address(path)}{entry}]"
    choices = kind.types if isinstance(kind, types.UnionType) else (kind,)
    is_list = any(isinstance(choice, types.ListType | types.VarTupleType) for choice in choices)
    if is_list and isinstance(value, str):
        return f'write it as a list: ["{value}"]'
    is_whole = isinstance(kind, types.IntType)
    if (is_whole or isinstance(kind, types.CustomType)) and re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", str(value)):
        return f"write {str(value).partition('.')[0] if is_whole else value}"
    quoted = f'write it in quotes: "{plain_text(value)}"' if _is_quotable(value, kind) else ""
    return _help(hints) or quoted


def _is_quotable(value: Any, kind: types.Type) -> bool:
    return not isinstance(value, dict | list) and "text in quotes" in _type_words(kind)


def _help(hints: Mapping[str, Any]) -> str:
    """Return the description of a type, with its examples."""
    description, examples = hints.get("description", ""), hints.get("examples", ())
    shown = ", ".join(map(example, examples))
    return f"{description} For example: {shown}" if shown else description
