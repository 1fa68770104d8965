"""Every variable that a rendered tree reads, for its `.env.example`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import astuple, replace

from anvil_gen.diagnostics import join_words
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.model import EXPERIMENT_FILE, Declared, EnvVar, Experiment, ExtraService, Router, Service, Tier
from anvil_gen.resolve.variables_model import TRIAL_VARIABLES, Variable
from anvil_gen.values import ComposeText, EnvRef, Interpolation, VariableValue, interpolations

_NAMELESS = frozenset({str, int, bool, type(None)})  # most values are: they are not looked into


def variables_of(
    inventory: Inventory,
    tiers: tuple[Tier, ...],
    services: tuple[ExtraService, ...],
    router: Router | None,
    experiment: Experiment | None,
) -> tuple[Variable, ...]:
    """Return the variables of a stack, each once, by the first file that reads it."""
    token = inventory.hfcache.token_env
    comments = {} if token is UNSET else {str(token): "The token for gated models of the hub."}
    parts: list[tuple[str, object]] = []
    if router is not None:
        names = (name for name in Service.__struct_fields__ if name in Router.__struct_fields__)
        parts.append(("router/compose.yml", [getattr(router, name) for name in names]))
    for tier in tiers:
        service = tier.service
        named = [*_of_files(service.declared), *_of_files(service.override_declared)]
        parts.append((f"tiers/{tier.name}.yml", [service, named]))
    for extra in services:
        files = [extra.declared.secrets, extra.declared.configs, *_of_files(extra.declared)]
        parts.append((f"services/{extra.name}.yml", [extra.mapping, files]))
    found: dict[str, Variable] = {}
    clients = router.clients if router is not None else ()
    for client in (one for one in clients if one.variable):
        who = "clients send" if len(clients) == 1 else f"the client {client.name} sends"
        name = client.variable
        comment = f"The key that {who}, as `Authorization: Bearer <key>`; `openssl rand -hex 32` makes one."
        others = _hosts_with(router, name)
        comment += f" It is also sent to {others}: the same value there." if others else ""
        found[name] = Variable(name=name, comment=comment, file="router/compose.yml", standing=True)
    for name in router.others.variables if router is not None else ():
        comment = f"The key that the router of {_hosts_with(router, name)} asks for: the same value as there."
        found[name] = Variable(name=name, comment=comment, file="router/compose.yml", standing=True)
    for file, part in parts:
        for name, has_default in variable_names(part):
            comment = comments.get(name, "Named in the inventory.")
            first = found.setdefault(name, Variable(name=name, comment=comment, file=file))
            found[name] = replace(first, standing=first.standing or not has_default)
    for name, comment, standing in _slot(experiment, comments):
        found.setdefault(name, Variable(name=name, comment=comment, file=EXPERIMENT_FILE, standing=standing))
    return tuple(found.values())


def _of_files(declared: Declared) -> Iterator[EnvRef]:
    """Yield the variables that are secrets or configs."""
    for table in (*declared.secrets.values(), *declared.configs.values()):
        if isinstance(name := table.get("environment"), str):
            yield EnvRef(name=str(name))


def _hosts_with(router: Router | None, variable: str) -> str:
    """Return the other hosts whose routers are sent the key in a variable."""
    peers = router.others.peers if router is not None else ()
    return join_words(peer.name for peer in peers if peer.variable == variable)


def _slot(experiment: Experiment | None, comments: dict[str, str]) -> Iterator[tuple[str, str, bool]]:
    """Yield the experiment's variables with what they are for, and whether they are needed: its own first, in order."""
    found = list(variable_names(experiment.service)) if experiment is not None else []
    names, needed = {name for name, _ in found}, {name for name, has_default in found if not has_default}
    yield from ((name, comment, False) for name, comment in TRIAL_VARIABLES.items() if name in names)
    for name in sorted(names - TRIAL_VARIABLES.keys()):
        yield name, comments.get(name, "Named in the inventory."), name in needed


def variable_names(value: Any) -> Iterator[tuple[str, bool]]:
    """Yield the names of the variables in a value, however deep, and whether they have a default there."""
    if isinstance(value, EnvRef):
        yield value.name, value.default is not None
    elif isinstance(value, Interpolation):
        yield from _interpolated_names(value)
    elif isinstance(value, EnvVar) and value.value is None:
        yield value.name, False
    for part in _parts(value):
        if type(part) not in _NAMELESS:
            yield from variable_names(part)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):  # before what is asked of an abstract class, which takes longer than all others
        return value.values()
    if isinstance(value, VariableValue):
        return (value.reference,)
    if isinstance(value, ComposeText):
        return interpolations(value)
    if isinstance(value, Interpolation):
        return ()
    if isinstance(value, Struct):
        return astuple(value)
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _interpolated_names(variable: Interpolation) -> Iterator[tuple[str, bool]]:
    """Yield the names of a variable and of those in its default or alternative, which nobody has to set."""
    yield variable.name, variable.operator.endswith(("-", "+"))
    yield from ((name, True) for inner in interpolations(variable.word) for name, _ in _interpolated_names(inner))
