"""Values for the variables of a source: as they are by default, and a marker of its own for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.importing.texts import plain
from anvil_gen.inventory.fields import VARIABLE_PATTERN
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.compose_keys import by_name
from anvil_gen.values import Interpolation, KeyPath, interpolations

_PATHS = ("volumes", "source", "context", "device", "file", "env_file", "dockerfile")
_COUNTS = ("count", "retries", "ports", "published", "target", "cpus", "pids_limit", "replicas", "scale", "expose")
_TIMES = ("interval", "timeout", "start_period", "start_interval", "stop_grace_period", "delay", "window")
_SIZES = ("shm_size", "mem_limit", "memory", "mem_reservation", "memswap_limit", "size")
_OF_COMPOSE = lazy_pattern("(?:COMPOSE|DOCKER)_|PATH$")
"""Variables that Compose needs as they are."""
_WORDS: Mapping[str, str] = {"restart": "no", "ipc": "private", "network_mode": "none", "pull_policy": "never"}


def variables_of(value: Any, path: KeyPath = ()) -> Iterator[tuple[Interpolation, KeyPath]]:
    """Yield the variables in a value of a compose file, each with its place; also those in defaults."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from variables_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from variables_of(item, (*path, index))
    elif isinstance(value, str) and "$" in value:
        for variable in interpolations(value):
            yield variable, path
            yield from variables_of(variable.word, path)


def required(tables: Any) -> dict[str, str]:
    """Return values for the variables without which Compose refuses the files."""
    found = {
        variable.name: (variable, path)
        for variable, path in variables_of(tables)
        if variable.operator.endswith("?") or (not variable.operator and _needs_value(path))
    }
    return {name: marker(variable, path, index) for index, (name, (variable, path)) in enumerate(found.items())}


def _needs_value(path: KeyPath) -> bool:
    return bool({"volumes", "ports", "image", "count", "deploy"} & {part for part in path if isinstance(part, str)})


def markers(tables: Any) -> dict[str, str]:
    """Return a value of its own for each variable, of the kind that its place and default have."""
    seen: dict[str, tuple[Interpolation, KeyPath]] = {}
    for variable, path in variables_of(tables):
        known = seen.get(variable.name)
        if known is None or (not known[0].has_default and variable.has_default):
            seen[variable.name] = (variable, path)
    found = {name: marker(variable, path, index) for index, (name, (variable, path)) in enumerate(seen.items())}
    return {**{name: f"marked-{name.lower().replace('_', '-')}" for name in _passed_on(tables)}, **found}


def _passed_on(tables: Any) -> Iterator[str]:
    """Yield the variables that containers and builds get by their names."""
    for service in tables["services"].values():
        build = service.get("build")
        for written in (service.get("environment"), build.get("args") if isinstance(build, dict) else None):
            named = by_name(written)
            names = (name for name, value in named.items() if value is None) if isinstance(named, dict) else ()
            yield from (name for name in names if re.fullmatch(VARIABLE_PATTERN, name) and not _OF_COMPOSE.match(name))


def marker(variable: Interpolation, path: KeyPath, index: int) -> str:
    """Return the marker of a variable."""
    default = plain(variable.word) if variable.has_default else ""
    named = [part for part in path if isinstance(part, str)]
    keys = set(named)
    by_default = _like(default, index)
    if by_default is not None:
        return by_default
    last = named[-1] if named else ""
    for words, value in (
        (set(_WORDS), _WORDS.get(last, "")),
        (set(_TIMES), f"{index % 50 + 1}m{index % 59}s"),
        (set(_SIZES), f"{index % 60 + 3}g"),
        (set(_COUNTS), str(20000 + index)),
    ):
        if last in words and value:
            return value
    if keys & set(_PATHS) and not re.fullmatch("[a-zA-Z0-9][a-zA-Z0-9_.-]+", default):
        return f"/marked/{variable.name.lower()}"
    return f"marked-{variable.name.lower().replace('_', '-')}"


def _like(default: str, index: int) -> str | None:
    """Return another value of a default's kind; None for a text."""
    for pattern, value in (
        ("[0-9]{1,2}", str(index % 7 + 2 + (default == str(index % 7 + 2)))),
        ("[0-9]+", str(20000 + index)),
        (r"0?\.[0-9]+", f"0.{index % 89 + 10}"),
        (r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", f"192.0.2.{index % 250 + 1}"),
        ("(?i)true|false", "false" if default.lower() == "true" else "true"),
        ("no|always|unless-stopped|on-failure(?::[0-9]+)?", "always" if default != "always" else "no"),
        (r"[0-9]+(?:ms|[smh])", f"{index % 50 + 1}m{index % 59}s"),
        (r"[0-9]+(?:\.[0-9]+)?[kKmMgG][bB]?", f"{index % 60 + 3}g"),
        (r"GPU-[0-9a-fA-F-]+", f"GPU-00000000-0000-0000-0000-{index + 4096:012x}"),
        (r"(?:~|\.{0,2}/).*", f"/marked/{index}"),
    ):
        if re.fullmatch(pattern, default):
            return value
    return None
