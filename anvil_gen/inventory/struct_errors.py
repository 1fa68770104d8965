"""Every place of a data file that is not as its types want it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.inventory.toml_file import decode
from anvil_gen.values import KeyPath


def unknown_names(named: Iterable[tuple[KeyPath, str]], known: Iterable[str]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the places of names that are no known option, each with what is wrong."""
    for path, name in named:
        if name not in known:
            yield path, f'"{name}" is no option: {did_you_mean(name, known) or join_words(known, limit=40)}'


def struct_errors(value: Any, kind: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield each place of a value that is not as its type wants it; msgspec itself tells only the first."""
    try:
        msgspec.convert(value, kind, dec_hook=decode)
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at `")[0]
    else:
        return
    inner = _plain(kind)
    origin, arguments = get_origin(inner), get_args(inner)
    if isinstance(inner, type) and issubclass(inner, Struct) and isinstance(value, dict):
        yield from _keys_with_errors(value, inner, path)
    elif isinstance(value, list) and origin in (tuple, list):
        for index, item in enumerate(value):
            yield from struct_errors(item, arguments[0], (*path, index))
    elif isinstance(value, dict) and origin is not None and issubclass(origin, Mapping):
        for key, item in value.items():
            yield from struct_errors(key, arguments[0], (*path, key))
            yield from struct_errors(item, arguments[1], (*path, key))
    elif origin is Literal:
        yield path, f'"{value}" is none of: {join_words(map(str, arguments))}'
    else:
        yield path, f"{message[:1].lower()}{message[1:]}"


def _plain(kind: Any) -> Any:
    """Return a type without its annotations, and without the None that it may be instead."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        choices = get_args(kind) if get_origin(kind) is not Annotated else get_args(kind)[:1]
        kind = next(choice for choice in choices if choice is not type(None))
    return kind


def _keys_with_errors(value: Mapping[str, Any], struct: type[Struct], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    unknown = [key for key in value if key not in fields]
    renamed = getattr(struct, "RENAMED", {})
    for key in unknown:
        near = did_you_mean(key, fields) or join_words(fields)
        yield (
            (*path, key),
            f'"{key}" is now called "{renamed[key]}"' if key in renamed else f'"{key}" is no key: {near}',
        )
    for name, field in fields.items():
        if name in value:
            yield from struct_errors(value[name], field.type, (*path, name))
        elif field.required and not did_you_mean(name, unknown):
            yield path, f'"{name}" is not set'
