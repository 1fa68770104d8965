"""What Compose's own keys refer to, and what in them only shows with the service that they are merged into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.model import Mode, Service, Stack
from anvil_gen.resolve.networks import by_network
from anvil_gen.resolve.override_merge import as_mapping, lost_mounts, merge
from anvil_gen.values import KeyPath, compose_text

_MODES = ("network_mode", "ipc", "pid", "uts")
_BYTES = lazy_pattern(r"([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_UNITS = "_kmgtp"
_LIMITS: tuple[tuple[str, KeyPath], ...] = (
    ("cpus", ("deploy", "resources", "limits", "cpus")),
    ("mem_limit", ("deploy", "resources", "limits", "memory")),
    ("mem_reservation", ("deploy", "resources", "reservations", "memory")),
    ("pids_limit", ("deploy", "resources", "limits", "pids")),
    ("scale", ("deploy", "replicas")),
)
"""What Compose takes in two places, and refuses where they differ."""


class _Own(Struct, frozen=True, kw_only=True):
    """A service of which an inventory writes Compose's own keys, with all that is known of it."""

    name: str
    tables: tuple[KeyPath, ...]  # in which the keys may be written, the last word first
    mapping: Mapping[str, Any]


class _Reference(Struct, frozen=True, kw_only=True):
    kind: str  # "service", "network", "secret" or "config"
    name: str
    path: KeyPath


def check_own_references(stack: Stack, collector: Collector) -> None:
    """Report what an inventory's own keys name and nobody defines, and what they say twice."""
    owned = list(_owned(stack))
    if not owned:
        return
    known = {kind: _declared(stack, collector, kind) for kind in ("network", "secret", "config")}
    known["service"] = {name for mode in stack.modes for name in _services(stack, mode)}
    known["service"] |= {tier.service.name for tier in stack.tiers} | {extra.name for extra in stack.services}
    for own in owned:
        for reference in _references(own.mapping):
            if reference.name not in known[reference.kind] and "$" not in reference.name:
                _unknown(own, reference, known[reference.kind], stack, collector)
        for path, detail, remedy in _conflicts(own.mapping):
            if own.tables[0][0] not in ("services", "monitoring") or path != (
                "image",
            ):  # where it is missing has been reported
                _report(collector, "conflicting-values", own, path, (detail, remedy))
    for mode in stack.modes:
        _check_mode(stack, mode, owned, known["service"], collector)
    for tier in stack.tiers:
        _check_mounts(tier.service, tier.table, collector)


def _owned(stack: Stack) -> Iterator[_Own]:
    for extra in stack.services:
        yield _Own(name=extra.name, tables=(extra.table,), mapping=extra.mapping)
    for tier in stack.tiers:
        service = tier.service
        if service.override:
            below = {"image": service.image, "build": service.build, "container_name": service.container_name}
            if not service.sealed:  # whose networks are no choice
                below["networks"] = by_network(service.networks)
            tables: tuple[KeyPath, ...] = (
                (*tier.table, "override"),
                ("defaults", "override"),
                tier.table,
                ("defaults",),
            )
            yield _Own(name=service.name, tables=tables, mapping=merge(below, service.override))
    router = stack.router
    if router is not None and router.override:
        below = {"image": "built", "container_name": router.container_name, "networks": by_network(router.networks)}
        tables = (("router", "override"), ("router",))
        yield _Own(name=router.service, tables=tables, mapping=merge(below, router.override))


def _declared(stack: Stack, collector: Collector, kind: str) -> set[str]:
    written = collector.document.data.get(f"{kind}s")
    names = set(written) if isinstance(written, dict) else set()
    sealed = any(tier.service.sealed for tier in stack.tiers)
    return names | ({"default", *(("internal",) if sealed else ())} if kind == "network" else set())


def _services(stack: Stack, mode: Mode) -> set[str]:
    names = {*(tier.service.name for tier in mode.tiers), *(extra.name for extra in mode.services)}
    return names | ({mode.router.service} if mode.router is not None else set())


def _references(mapping: Mapping[str, Any]) -> Iterator[_Reference]:
    """Yield what a service refers to by name."""
    yield from _service_references(mapping)
    for name in as_mapping("networks", mapping.get("networks")) or ():
        yield _Reference(kind="network", name=str(name), path=("networks", name))
    build = mapping.get("build")
    for kind, path, items in (
        ("config", ("configs",), mapping.get("configs")),
        ("secret", ("secrets",), mapping.get("secrets")),
        ("secret", ("build", "secrets"), build.get("secrets") if isinstance(build, Mapping) else ()),
    ):
        for index, item in enumerate(items if isinstance(items, list) else ()):
            name = item.get("source", "") if isinstance(item, Mapping) else item
            yield _Reference(kind=kind, name=str(name), path=(*path, index))


def referred_services(mapping: Mapping[str, Any]) -> set[str]:
    """Return the services that a service refers to by name."""
    return {reference.name for reference in _service_references(mapping)}


def _service_references(mapping: Mapping[str, Any]) -> Iterator[_Reference]:
    named: list[tuple[KeyPath, str]] = [
        (("depends_on", name), str(name)) for name in as_mapping("depends_on", mapping.get("depends_on")) or ()
    ]
    for key in ("links", "volumes_from"):
        items = mapping.get(key)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if not str(item).startswith("container:"):
                named.append(((key, index), str(item).partition(":")[0]))
    for key in _MODES:
        named += [((key,), name) for name in _behind_service(mapping.get(key))]
    build = mapping.get("build")
    contexts = as_mapping("additional_contexts", build.get("additional_contexts") if isinstance(build, Mapping) else {})
    for key, value in (contexts or {}).items():
        named += [(("build", "additional_contexts", key), name) for name in _behind_service(value)]
    yield from (_Reference(kind="service", name=name, path=path) for path, name in named)


def _behind_service(value: Any) -> list[str]:
    return [value.removeprefix("service:")] if isinstance(value, str) and value.startswith("service:") else []


def _unknown(own: _Own, reference: _Reference, known: set[str], stack: Stack, collector: Collector) -> None:
    kind, name = reference.kind, reference.name
    service = next((tier.service.name for tier in stack.tiers if tier.name == name), None)
    if kind == "service" and service is not None:
        remedy = f'write "{service}": the service of the tier "{name}"'
    elif kind in ("service", "network"):
        table = "" if kind == "service" else f", or add a table [networks.{name}]"
        remedy = f"{did_you_mean(name, known) or f'there are: {join_words(known)}'}{table}"
    else:
        remedy = did_you_mean(name, known) or f"add a table [{kind}s.{name}]"
    code = "unknown-network" if kind == "network" else "unknown-reference"
    _report(collector, code, own, reference.path, (f'there is no {kind} "{name}"', remedy))


def _report(collector: Collector, code: str, own: _Own, path: KeyPath, what: tuple[str, str]) -> None:
    """Report an error, unless something is wrong with the type of what is there."""
    place = _place(own, path, collector)
    if not collector.is_dropped(place):
        collector.add(code, place, *what)


def _place(own: _Own, path: KeyPath, collector: Collector) -> KeyPath:
    """Return where a key of a service is written, or else what is next around it."""
    for end in range(len(path), -1, -1):
        for table in own.tables:
            here = (*table, *path[:end])
            items = collector.value_at(here[:-1])
            if isinstance(items, list) and here[-1] in items:
                return (*here[:-1], items.index(here[-1]))
            if collector.value_at(here) is not None:
                return here
    return own.tables[-1]


def _conflicts(mapping: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield what Compose refuses of a service as a whole."""
    if mapping.get("network_mode") and mapping.get("networks"):
        yield ("network_mode",), '"networks" is set too', "keep one of them"
    if not mapping.get("image") and not mapping.get("build"):
        yield ("image",), "the service has neither an image nor a build", "keep one of them"
    for key, path in _LIMITS:
        one, other = _amount(mapping.get(key)), _amount(_at(mapping, path))
        if one is not None and other is not None and one != other:
            yield (key,), f'"{".".join(map(str, path))}" says another value', "keep one of them"
    if mapping.get("container_name"):
        for path in (("scale",), ("deploy", "replicas")):
            if (_amount(_at(mapping, path)) or 0) > 1:
                yield path, "containers of one name cannot be several", "remove it, or the container's name"


def _at(table: Any, path: KeyPath) -> Any:
    for key in path:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _amount(value: Any) -> float | None:
    """Return a number, also one with a unit of bytes; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _BYTES.fullmatch(str(value))
    return float(match[1]) * 1024 ** _UNITS.index(match[2].lower() or "_") if match is not None else None


def _check_mode(stack: Stack, mode: Mode, owned: list[_Own], known: set[str], collector: Collector) -> None:
    """Report services that do not run together with one that needs them, and those that wait for each other."""
    running = _services(stack, mode)
    needs = {own.name: [one for one in _service_references(own.mapping) if one.name in known] for own in owned}
    for own in owned:
        for reference in needs[own.name] if own.name in running else ():
            if reference.name not in running:
                detail = f'"{reference.name}" does not run in the mode "{mode.title}", and "{own.name}" does'
                remedy = "name a service that runs in every mode in which this one does"
                if own.tables[0][0] == "services" and mode.name:
                    remedy += f', or leave "{own.name}" out of "services" in [modes.{mode.name}]'
                _report(collector, "not-in-this-mode", own, reference.path, (detail, remedy))
    edges = {name: [one.name for one in found] for name, found in needs.items()}
    for own in owned:
        for reference in needs[own.name] if own.name in running else ():
            if _reaches(edges, reference.name, own.name):
                detail = f'"{reference.name}" waits for "{own.name}", which waits for it'
                _report(collector, "dependency-cycle", own, reference.path, (detail, "remove one of them"))


def _reaches(edges: Mapping[str, list[str]], start: str, end: str) -> bool:
    seen, waiting = set[str](), [start]
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        if name not in seen:
            seen.add(name)
            waiting += edges.get(name, [])
    return False


def _check_mounts(service: Service, table: KeyPath, collector: Collector) -> None:
    """Report an override that drops a mount which the command names."""
    if "volumes" not in service.override:
        return
    command = service.override.get("command", [compose_text(word) for word in service.command])
    words = command if isinstance(command, list) else [str(command)]
    for target in lost_mounts(service.mounts, service.override, map(str, words)):
        own = _Own(name=service.name, tables=((*table, "override"), ("defaults", "override"), table), mapping={})
        detail = f'the command names "{target}", and the override drops that mount'
        remedy = "keep it: mounts merge by their target; or override the command too"
        _report(collector, "mount-is-dropped", own, ("volumes",), (detail, remedy))
