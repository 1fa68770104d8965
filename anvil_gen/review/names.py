"""Which names clients can ask a router for, and what of that a change makes another."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from anvil_gen.resolve.model import Stack
from anvil_gen.resolve.router_model import Route


class NameChange(Struct, frozen=True, kw_only=True):
    """A name that another tier answers, in some modes; empty where none does."""

    name: str
    before: str
    after: str
    modes: tuple[str, ...]


def name_changes(before: Stack, after: Stack) -> tuple[NameChange, ...]:
    """Return the names that something else answers, those first that nobody answers any more, the new ones last."""
    modes: dict[tuple[str, str, str], list[str]] = {}
    for mode, name, old, new in _differing(_names(before), _names(after)):
        modes.setdefault((name, old, new), []).append(mode)
    found = [NameChange(name=name, before=old, after=new, modes=tuple(own)) for (name, old, new), own in modes.items()]
    return tuple(sorted(found, key=lambda one: (bool(one.after), not one.before)))


def _names(stack: Stack) -> dict[str, dict[str, str]]:
    """Return who answers which name, by mode."""
    routers = {mode.title: mode.router for mode in stack.modes}
    return {
        title: {} if router is None else {route.name: _who(route) for route in router.routes}
        for title, router in routers.items()
    }


def _who(route: Route) -> str:
    return ", ".join(dict.fromkeys((route.tier, *route.hosts)))


def _differing(
    before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]
) -> Iterator[tuple[str, str, str, str]]:
    for mode in (mode for mode in after if mode in before):
        old, new = before[mode], after[mode]
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) != new.get(name):
                yield mode, name, old.get(name, ""), new.get(name, "")
