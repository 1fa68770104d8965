"""Services of which one stands for another, with its port or its name: what can run at once is a mode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from msgspec import Struct

from anvil_gen.resolve.compose_keys import published_ports, starts_nothing
from anvil_gen.resolve.modes import RESERVED
from anvil_gen.resolve.own_references import referred_services
from anvil_gen.resolve.uniqueness import addresses_collide


class _Member(Struct, frozen=True, kw_only=True):
    """A service of an inventory: what it has for itself alone, and the services that it names."""

    name: str  # of a tier, or as one would be called
    service: str
    table: dict[str, Any]
    is_tier: bool
    container_name: Any
    ports: Sequence[tuple[Any, str]]
    profiles: frozenset[str]
    needs: frozenset[str]

    def excludes(self, other: _Member) -> bool:
        """Tell whether the two cannot run at once, and their profiles do not say so."""
        if self.profiles and other.profiles and self.profiles.isdisjoint(other.profiles):
            return False
        if self.container_name is not None and self.container_name == other.container_name:
            return True
        return any(
            port == number and addresses_collide(bind, address)
            for port, bind in self.ports
            for number, address in other.ports
        )


_Members = Mapping[str, _Member]
"""By their services."""
_Rivals = Mapping[str, set[str]]


def set_apart(tables: Mapping[str, tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    """Put on standby what cannot run next to the others, and return the modes in which it runs.

    What needs two that exclude each other is left as it is: no mode runs it, and Compose cannot start it either.

    Args:
        tables: by services: the section, what a tier of it is called, and the table.
    """
    found = (_member(service, *table) for service, table in tables.items())
    # The default mode runs what Compose starts by default.
    members = {one.service: one for one in sorted(found, key=lambda one: (bool(one.profiles), not one.is_tier))}
    rivals = _rivals(members.values())
    if not rivals:
        return {}
    needed = {name: _needed(members, name) for name in members}
    possible = [name for name in members if _can_run(rivals, needed[name])]
    default = _together(rivals, needed, set(), possible)
    apart = [name for name in possible if name not in default]
    covered, modes = set(default), dict[str, Any]()
    # First those that need no other one: these are in their modes then.
    for name in sorted(apart, key=lambda name: len(needed[name] & {*apart})):
        members[name].table["standby"] = True
        if name in covered:
            continue
        running = set(needed[name])
        for other in apart:
            if name in needed[other] and _can_run(rivals, running | needed[other]):
                running |= needed[other]
        # Tiers are named one by one, as they share GPUs; further services go on where they can.
        others = [one for one in default if not members[one].is_tier or not members[name].is_tier]
        running = _together(rivals, needed, running, others)
        covered |= running
        modes[_mode_name(members[name].name)] = _mode(members, running, default)
    return modes


def _mode_name(name: str) -> str:
    return f"{name}-mode" if name in RESERVED else name


def _mode(members: _Members, running: set[str], default: set[str]) -> dict[str, Any]:
    """Return the table of a mode: its services are said where they are others than the default mode's."""
    tiers = [one.name for one in members.values() if one.service in running and one.is_tier]
    services = [one.service for one in members.values() if one.service in running and not one.is_tier]
    usual = {name for name in default if not members[name].is_tier}
    return {"tiers": tiers, **({"services": services} if {*services} != usual else {})}


def _rivals(members: Iterable[_Member]) -> _Rivals:
    """Return by services with which others they cannot run, where there are any."""
    claimants: dict[tuple[str, Any], list[_Member]] = {}
    for one in members:
        for claim in {("name", one.container_name), *(("port", port) for port, _ in one.ports)} - {("name", None)}:
            claimants.setdefault(claim, []).append(one)
    found: dict[str, set[str]] = {}
    for group in claimants.values():
        for one, other in permutations(group, 2):
            if one.excludes(other):
                found.setdefault(one.service, set()).add(other.service)
    return found


def _together(rivals: _Rivals, needed: Mapping[str, set[str]], running: set[str], others: Iterable[str]) -> set[str]:
    """Return what runs, with the others that can run next to it, and of which all that they need does."""
    found = set(running)
    for name in others:
        if found.isdisjoint(rivals.get(name, ())):
            found.add(name)
    while missing := {name for name in found if not needed[name] <= found}:
        found -= missing
    return found


def _can_run(rivals: _Rivals, names: set[str]) -> bool:
    return all(names.isdisjoint(rivals.get(name, ())) for name in names)


def _needed(members: _Members, name: str) -> set[str]:
    """Return a service with all that it names, and that those name."""
    found, waiting = set[str](), [name]
    while waiting:
        one = waiting.pop()
        if one in members and one not in found:
            found.add(one)
            waiting += members[one].needs
    return found


def _member(service: str, section: str, name: str, table: dict[str, Any]) -> _Member:
    is_tier = section == "tiers"
    keys = {**table, **(table.get("override") or {})} if is_tier else table
    container_name = keys.get("container_name", name if is_tier else None)
    return _Member(
        name=name,
        service=service,
        table=table,
        is_tier=is_tier,
        container_name=None if container_name is False or starts_nothing(keys) else _default(container_name),
        ports=() if starts_nothing(keys) else tuple(_ports(table, is_tier=is_tier)),
        profiles=frozenset(map(str, keys.get("profiles") or ())),
        needs=frozenset(referred_services(keys)),
    )


def _ports(table: Mapping[str, Any], *, is_tier: bool) -> Iterator[tuple[Any, str]]:
    """Yield the ports that a table publishes, each with its address of the host."""
    if is_tier and table.get("bind") is not False and "port" in table:
        yield _default(table["port"]), str(_default(table.get("bind", "all")))
    for keys in (table, (table.get("override") or {}) if is_tier else {}):
        yield from ((number, bind) for _, bind, number in published_ports(keys.get("ports")))


def _default(value: Any) -> Any:
    """Return a value of an inventory; of a variable, its default."""
    return value.get("default", str(value)) if isinstance(value, dict) else value
