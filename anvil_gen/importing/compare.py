"""Where two canonical configurations differ, read as the engines read them: the order of flags says nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.importing.command import read_flags
from anvil_gen.importing.engine_facts import EngineFacts
from anvil_gen.importing.service_gpus import GpuNames, with_one_request
from anvil_gen.values import KeyPath


class Difference(Struct, frozen=True, kw_only=True):
    """A place at which the result says something else than the source; None for nothing."""

    path: KeyPath
    source: Any
    result: Any


def differences(
    source: Mapping[str, Any],
    result: Mapping[str, Any],
    facts: Mapping[str, EngineFacts],
    gpus: GpuNames,
) -> list[Difference]:
    """Return every place at which two configurations differ.

    Args:
        source: as Compose reads the source.
        result: as Compose reads what was rendered.
        facts: the engines by service.
        gpus: the GPUs of this host, and the driver of requests that name none.
    """
    found: list[Difference] = []
    for kind in dict.fromkeys([*source, *result]):
        left, right = source.get(kind), result.get(kind)
        if kind == "services":
            left, right = (
                {name: _service(one, facts.get(name), gpus) for name, one in (side or {}).items()}
                for side in (left, right)
            )
        elif kind in ("secrets", "configs"):
            left = {name: (left or {}).get(name) for name in right or ()}  # which no service names, nobody reads
        elif kind.startswith("x-"):
            continue
        found += _differences(left, right, (kind,))
    return found


def _differences(left: Any, right: Any, path: KeyPath) -> Iterator[Difference]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in dict.fromkeys([*left, *right]):
            yield from _differences(left.get(key), right.get(key), (*path, key))
    elif left != right and not (_is_nothing(left) and _is_nothing(right)):
        yield Difference(path=path, source=left, result=right)


def _is_nothing(value: Any) -> bool:
    return value is None or value in ({}, [])


def _service(service: Mapping[str, Any], facts: EngineFacts | None, gpus: GpuNames) -> dict[str, Any]:
    """Return a service in one form: lists whose order says nothing by what is in them."""
    form = with_one_request({key: value for key, value in service.items() if value is not None}, gpus)
    form["volumes"] = {one["target"]: one for one in map(_mount, form.get("volumes") or ())}
    form["ports"] = {_port_key(one): one for one in form.get("ports") or ()}
    if facts is not None and not facts.engine.own_command and form.get("command"):
        form["command"] = _command(form["command"], facts)
    return form


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mount at its place as Docker has it: without a slash at its end."""
    return {**mount, "target": mount["target"].rstrip("/") or "/"}


def _port_key(port: Mapping[str, Any]) -> str:
    return ":".join(str(port.get(key, "")) for key in ("host_ip", "published", "target", "protocol"))


def _command(words: list[str], facts: EngineFacts) -> dict[str, Any]:
    """Return a command by its flags, under the names that the engine's data has."""
    positional, flags = read_flags(facts, words)
    found: dict[str, Any] = {}
    for flag in flags:
        found.setdefault(f"--{flag.name}" if flag.name else flag.words[0], []).extend(map(_value, flag.values))
    takes_model = any("{model}" in part for part in facts.engine.command)
    if takes_model and positional and "--model" not in found and positional[-1] not in facts.engine.command:
        found["--model"] = [positional.pop()]
    return {**found, **({"words": positional} if positional else {})}


def _value(text: str) -> Any:
    """Return a flag's value, JSON as what it says."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
