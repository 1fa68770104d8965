"""Which parts of a service hold values of variables: those may be secret, and are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.resolve.env_variables import names_in
from anvil_gen.resolve.model import Stack
from anvil_gen.values import parts_of

# What is told all the same: where a variable names an image or a folder, that is no secret.
_SHOWN = frozenset({"image", "container_name", "ports", "volumes", "devices"})


class Redaction(Struct, frozen=True, kw_only=True):
    """Keys of a service that have values of variables in them, and flags of its command that have none."""

    keys: frozenset[str] = frozenset()
    plain_flags: frozenset[str] = frozenset()

    def hides(self, parts: tuple[str, ...]) -> bool:
        """Tell whether the value at an address in the service is not to be shown; all variables are hidden."""
        key, *rest = parts or ("",)
        return key == "environment" or (
            key in self.keys and not (key == "command" and rest[:1] and rest[0] in self.plain_flags)
        )


def redaction_of(stack: Stack, service: str) -> Redaction:
    """Return what of a service is not to be shown, by what the inventory takes from variables."""
    said = _said(stack, service)
    keys = {key for key, value in said.items() if key not in _SHOWN and _has_variable(value)}
    return Redaction(keys=frozenset(keys), plain_flags=_plain_flags(said.get("command")))


def _said(stack: Stack, service: str) -> Mapping[str, Any]:
    """Return what the inventory says of a service that may hold variables, in Compose's keys."""
    for extra in stack.services:
        if extra.name == service:
            return extra.mapping
    for tier in stack.tiers:
        if tier.service.name == service:
            own = tier.service
            said = {"command": own.command, "labels": own.labels, "healthcheck": own.health and own.health.test}
            return {**said, **own.override}
    routers = (mode.router for mode in stack.modes if mode.router is not None)
    return next((router.override for router in routers if router.service == service), {})


def _has_variable(value: Any) -> bool:
    return next(names_in(value), None) is not None


def _plain_flags(command: Any) -> frozenset[str]:
    """Return the flags of a command whose values are written out in the inventory."""
    flag, flags, filled = "", set[str](), set[str]()
    for word in command if isinstance(command, list | tuple) else ():
        first = parts_of(word)[0]
        if isinstance(first, str) and first.startswith("-"):
            flag = first.partition("=")[0]
            flags.add(flag)
        if _has_variable(word):
            filled.add(flag)
    return frozenset(flags - filled)
