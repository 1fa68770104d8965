"""Which parts of a service contain values of variables: they may be secret, and are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.render.quoting import compose_string
from anvil_gen.resolve.env_variables import variable_names
from anvil_gen.resolve.model import Stack
from anvil_gen.text.flags import parse_flags
from anvil_gen.values import Text, interpolations

# Shown all the same: an image or folder that a variable names is no secret.
_SHOWN = frozenset({"image", "container_name", "ports", "volumes", "devices"})


class Redaction(Struct, frozen=True, kw_only=True):
    """Keys of a service that have values of variables in them, and flags of its command that have none."""

    keys: frozenset[str] = frozenset()
    plain_flags: frozenset[str] = frozenset()

    def hides(self, parts: tuple[str, ...]) -> bool:
        """Tell whether the value at an address in the service must not be shown; the environment is always hidden."""
        key, *rest = parts or ("",)
        return key == "environment" or (
            key in self.keys and not (key == "command" and rest[:1] and rest[0] in self.plain_flags)
        )


def redaction_of(stack: Stack, service: str) -> Redaction:
    """Return what must not be shown of a service: what the inventory takes from variables."""
    declared = _declared(stack, service)
    keys = {key for key, value in declared.items() if key not in _SHOWN and _has_variable(value)}
    return Redaction(keys=frozenset(keys), plain_flags=_plain_flags(declared.get("command")))


def _declared(stack: Stack, service: str) -> Mapping[str, Any]:
    """Return the keys of a service that may contain variables, as the inventory sets them."""
    for extra in stack.services:
        if extra.name == service:
            return extra.mapping
    for tier in stack.tiers:
        if tier.service.name == service:
            own = tier.service
            generated = {
                "command": own.shell_words or own.command,
                "labels": own.labels,
                "healthcheck": own.health and own.health.test,
            }
            return {**generated, **own.override}
    routers = (mode.router for mode in stack.modes if mode.router is not None)
    return next((router.override for router in routers if router.service == service), {})


def _has_variable(value: Any) -> bool:
    return next(variable_names(value), None) is not None


def _plain_flags(command: Any) -> frozenset[str]:
    """Return the flags of a command whose values are written out in the inventory."""
    plain, variable = set[str](), set[str]()
    words = command if isinstance(command, list | tuple) else ()
    for flag, values in parse_flags(compose_string(word) if isinstance(word, Text) else str(word) for word in words):
        name, dollar, _ = flag.partition("$")  # a variable in a flag's name may hold its value too
        has_variable = dollar or any(next(interpolations(value), None) for value in values)
        (variable if has_variable else plain).add(name)
    return frozenset(plain - variable - {""})
