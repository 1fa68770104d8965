"""Mistakes that no type can find, where an inventory takes anything: in `flags`, `override` and services."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from math import isfinite
from typing import Any

from anvil_gen.diagnostics import did_you_mean
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.schema_own_keys import own_keys
from anvil_gen.patterns import lazy_pattern
from anvil_gen.text.interpolation import as_reference, looks_interpolated, parse_interpolation
from anvil_gen.values import (
    EnvRef,
    KeyPath,
    Number,
    Text,
    VariableText,
)

KEYS = ("env", "interpolate")
"""Keys that make a table a reference."""
FOLDERS: tuple[KeyPath, ...] = (("paths", "models"), ("hfcache", "path"))
"""Keys that name a folder of the host, which Compose would take for a text with variables."""
_VARIABLE = lazy_pattern("[A-Za-z_][A-Za-z0-9_]*")
_DEFAULT = lazy_pattern("[^{}\\x00\\r\\n]*")
TABLES = (
    *("additional_contexts", "annotations", "args", "driver_opts", "environment", "extra_hosts"),
    *("labels", "options", "storage_opt", "sysctls", "ulimits"),
)
"""Keys of Compose whose tables have user-defined names: one that has only `env` is not a reference."""

DECLARED = ("volumes", "networks", "secrets", "configs")
"""Sections, in Compose's own keys, of what services name."""
_KEYS = {"env", "default"}
_NAME = (
    "an environment name has no `=`, is not empty, and does not start with x-, which Compose drops",
    "write another name",
)
_FORM = 'a reference is { env = "NAME" }, and may have a default: { env = "NAME", default = "x" }'


def env_reference(value: Any) -> EnvRef | None:
    """Return the variable of a table like ``{ env = "NAME", default = "x" }``; None for any other value."""
    if not isinstance(value, dict) or not value.keys() <= _KEYS:
        return None
    name, default = value.get("env"), value.get("default", "")
    if isinstance(name, str) and isinstance(default, str) and _VARIABLE.fullmatch(name) and _DEFAULT.fullmatch(default):
        return EnvRef(name=name, default=value.get("default"))
    return None


def reference(value: Any, *, typed: bool = False) -> Text | None:
    """Return the text that a reference stands for; None for any other value.

    Args:
        value: a value of the inventory.
        typed: the default may be a number, since it is of a field's own type.
    """
    if isinstance(value, dict) and value.keys() == {"interpolate"} and isinstance(value["interpolate"], str):
        try:
            return parse_interpolation(value["interpolate"])
        except ValueError:
            return None
    if typed and isinstance(value, dict) and type(value.get("default")) in (int, Number):
        value = {**value, "default": str(value["default"])}
    variable = env_reference(value)
    return None if variable is None else VariableText((variable,))


def check_free_values(collector: Collector) -> None:
    """Report tables that are meant as references to variables and are not, dates, and names with a `=`."""
    for path, table in _places(collector.document.data):
        error = reference_error(table)
        if error is not None:
            key, detail, remedy = error
            collector.add("invalid-form", (*path, key), detail, remedy, key=key not in (*_KEYS, "interpolate"))
    for path, table in own_key_tables(collector.document.data):
        _check_environment(collector, (*path, "environment"), table.get("environment"))
        for where, value in _scalars(table, path):
            if isinstance(value, date | time):
                collector.add("wrong-type", where, "a date or time", "write it in quotes")
            elif isinstance(value, float) and not isfinite(value):
                collector.add("number-out-of-range", where, f"{value} is not finite", "write a number that is")
            _check_plain(collector, where, value)
    for path in FOLDERS:
        _check_plain(collector, path, collector.value_at(path))
    for path, table in server_tables(collector.document.data):
        for where, value in _plain_values(table):
            _check_plain(collector, (*path, *where), value)


def _plain_values(table: dict[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the values of a tier's own tables that are texts of a compose file as they are."""
    yield from ((("environment", name), value) for name, value in _entries(table.get("environment")))
    for target, value in _entries(table.get("mounts")):
        yield ("mounts", target), value
        yield from ((("mounts", target, key), item) for key, item in _entries(value) if key == "source")


def _check_plain(collector: Collector, path: KeyPath, value: Any) -> None:
    """Report a text that is written as a variable, which it never is by itself."""
    if isinstance(value, str) and looks_interpolated(value):
        collector.add(
            "text-that-looks-like-a-variable", path, "every $ of a plain text is literal", as_reference(value)
        )


def _check_environment(collector: Collector, path: KeyPath, environment: Any) -> None:
    """Report names that are empty or have a `=`: Compose accepts them, and a container reads something else."""
    for name, _ in _entries(environment):
        if not name or "=" in name or name.startswith("x-"):
            collector.add("invalid-name", (*path, name), *_NAME, key=True)
    for index, entry in enumerate(environment) if isinstance(environment, list) else ():
        if isinstance(entry, str) and entry[:1] in ("", "="):
            collector.add("invalid-name", (*path, index), *_NAME)


def own_key_tables(data: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield the tables of an inventory in Compose's own keys."""
    tables = [((*path, "override"), table.get("override")) for path, table in server_tables(data)]
    tables += [(path, keys) for path, table in server_tables(data) if (keys := _own_keys(path, table))]
    for section in ("services", *DECLARED):
        tables += [((section, name), table) for name, table in _entries(data.get(section))]
    yield from ((path, table) for path, table in tables if isinstance(table, dict))


def _own_keys(path: KeyPath, table: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of Compose that a tier's table has itself."""
    return own_keys(table) if path[0] in ("tiers", "defaults") else {}


def server_tables(data: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield the tables of an inventory that describe a service, but for those in Compose's own keys."""
    tables: list[tuple[KeyPath, Any]] = [((name,), data.get(name)) for name in ("defaults", "router", "experiment")]
    tables += [(("tiers", name), table) for name, table in _entries(data.get("tiers"))]
    yield from ((path, table) for path, table in tables if isinstance(table, dict))


def _scalars(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict) and (reference(value) or reference_error(value)) is not None:
        return
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield path, value
    for key, child in children or ():
        yield from _scalars(child, (*path, key))


def _places(data: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield every table of an inventory that may be a reference, where any value is allowed."""
    for path, table in server_tables(data):
        for flag, value in _entries(table.get("flags")):
            yield from _in_list(value, (*path, "flags", flag))
    for path, table in own_key_tables(data):
        yield from _in_table(table, path)


def _entries(table: Any) -> Iterator[tuple[str, Any]]:
    yield from table.items() if isinstance(table, dict) else ()


def _in_list(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield a flag's value, or those in its list; a table in another one is JSON."""
    if isinstance(value, dict):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in_list(item, (*path, index))


def _in_table(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield the tables below one of Compose's own keys."""
    for key, item in enumerate(value) if isinstance(value, list) else _entries(value):
        if isinstance(item, dict) and key not in TABLES:
            yield (*path, key), item
        yield from _in_table(item, (*path, key))


def reference_error(table: dict[str, Any], *, typed: bool = False) -> tuple[str, str, str] | None:
    """Return what is wrong with a table that is clearly meant as a reference: the key, detail and remedy.

    Args:
        table: a table of the inventory.
        typed: it is where only a reference can be, and the default may be a number.
    """
    name = table.get("env", "")
    if reference(table, typed=typed) is not None:
        return None
    if "interpolate" in table and (typed or len(table) == 1 or not table.keys().isdisjoint(_KEYS)):
        return _interpolation_error(table)
    if not typed and not isinstance(name, str | int | float):
        return None
    known, others = table.keys() & _KEYS, [key for key in table if key not in _KEYS]
    if others:
        meant = did_you_mean(others[0], _KEYS - known) if typed or len(known) == len(others) == 1 else ""
        return (others[0], f'"{others[0]}" is not a key of a reference', meant or _FORM) if meant or typed else None
    if "env" not in table:
        return ("default", "its variable is missing", _FORM) if typed and table else None
    if not _is_name(name):
        return "env", "it is not a variable name: letters, digits and _, no digit first", _FORM
    key, value = next((key, value) for key, value in table.items() if key != "env")
    if isinstance(value, str):
        return key, f"a {key} has no brace, no line break and no NUL", _FORM
    return (
        key,
        f"a {key} is text{' or a number' if typed else ''}",
        f'write it in quotes: {{ env = "{name}", {key} = "…" }}',
    )


def _interpolation_error(table: dict[str, Any]) -> tuple[str, str, str]:
    other = next((key for key in table if key != "interpolate"), None)
    if other is not None:
        return (
            other,
            "the text of an interpolation says its defaults itself",
            'write { interpolate = "${NAME:-default}" }',
        )
    text = table["interpolate"]
    try:
        parse_interpolation(text if isinstance(text, str) else "")
    except ValueError as error:
        return "interpolate", str(error), "write ${NAME}, ${NAME:-default} or ${NAME:?message}, and $$ for a $"
    return "interpolate", "it is no text", 'write it in quotes: { interpolate = "a-${NAME:-default}" }'


def _is_name(value: Any) -> bool:
    return env_reference({"env": value}) is not None
