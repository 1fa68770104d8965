"""Modes: sets of tiers and services that run together, each with a root file and routes of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.inventory.schema import ModeTable
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import ExtraService, Mode, Tier
from anvil_gen.resolve.root_files import DEFAULT_MODE, root_file_of
from anvil_gen.resolve.router import RouterSpec, build_router, build_routes
from anvil_gen.values import KeyPath

ROUTER_FILE = "router/compose.yml"
# Name that no mode may have -> why.
RESERVED = {
    "experiment": "docker-compose.experiment.yml is another file",
    "override": "Compose reads docker-compose.override.yml by itself, in every mode",
    DEFAULT_MODE: "it names every tier that is not on standby",
}

_KINDS = {
    "tiers": ("tier", "unknown-tier", "tier-named-twice"),
    "services": ("service", "unknown-service", "service-named-twice"),
}
"""Key of a mode -> what it names, and the codes where there is none, and where one is named again."""


def build_modes(
    context: ResolveContext, spec: RouterSpec | None, tiers: tuple[Tier, ...], services: tuple[ExtraService, ...]
) -> tuple[Mode, ...]:
    """Return the modes of an inventory, the default one first: every tier and service that is not on standby."""
    standing = tuple(tier for tier in tiers if not tier.options.standby)
    if tiers and not standing:
        detail = "every tier is on standby: without a mode, nothing would run"
        context.collector.add("no-tiers", ("tiers", tiers[0].name, "standby"), detail, "take standby from one of them")
    always = tuple(service for service in services if not service.standby)
    default = replace(_mode(context, spec, "", standing, None), services=always)
    modes = [default]
    for name, table in context.inventory.modes.items():
        if name in RESERVED:
            collector = context.collector
            collector.add("invalid-name", ("modes", name), RESERVED[name], "write another name", key=True)
            continue
        mode = _mode(context, spec, name, _tiers(context, name, table, tiers), table)
        same = _routing(mode) == _routing(default)
        own = always if table.services is UNSET else _services(context, name, table.services, services)
        if not table.tiers and not own:
            context.collector.add("no-tiers", ("modes", name, "tiers"), "nothing runs in this mode", "name a tier")
        modes.append(replace(mode, services=own, router_file=ROUTER_FILE if same else mode.router_file))
    return tuple(modes)


def with_services(modes: Iterable[Mode], services: Iterable[ExtraService]) -> tuple[Mode, ...]:
    """Return modes with services that run in every one."""
    return tuple(replace(mode, services=(*mode.services, *services)) for mode in modes)


def _mode(
    context: ResolveContext, spec: RouterSpec | None, name: str, tiers: tuple[Tier, ...], table: ModeTable | None
) -> Mode:
    router = None
    if spec is not None and (tiers or not name):  # a mode of services alone has nothing to route to
        aliases: dict[str, tuple[str, KeyPath]] = {
            alias: (target, ("router", "aliases", alias)) for alias, target in spec.options.aliases.items()
        }
        if table is not None and table.aliases is not UNSET:
            own = {alias: (target, ("modes", name, "aliases", alias)) for alias, target in table.aliases.items()}
            aliases = {**aliases, **own}
        if tiers and not any(tier.task in spec.kind.alias_tasks for tier in tiers):
            tasks = " or ".join(spec.kind.alias_tasks)
            where = f' in the mode "{name}"' if name else ""
            remedy = "remove [router], or add such a tier"
            detail = f"{spec.kind.title} needs a tier for {tasks}, and none runs{where}"
            context.collector.add("router-without-a-tier", ("router",), detail, remedy, key=True)
        router = build_router(context, spec, tiers, build_routes(context, spec, tiers, aliases))
    return Mode(
        name=name,
        root_file=root_file_of(name),
        tiers=tiers,
        services=(),
        router=router,
        router_file=f"router/compose.{name}.yml" if name else ROUTER_FILE,
    )


def _routing(mode: Mode) -> object:
    return mode.router and (mode.router.routes, tuple(tier.name for tier in mode.router.tiers))


def _tiers(context: ResolveContext, mode: str, table: ModeTable, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    _check_names(context, ("modes", mode, "tiers"), table.tiers, context.inventory.tiers)
    # In the inventory's order, whatever the mode's: a reordered mode changes nothing.
    return tuple(tier for tier in tiers if tier.group in table.tiers)


def _services(
    context: ResolveContext, mode: str, names: Sequence[str], services: tuple[ExtraService, ...]
) -> tuple[ExtraService, ...]:
    _check_names(context, ("modes", mode, "services"), names, context.inventory.services)
    return tuple(service for service in services if service.name in names)


def _check_names(context: ResolveContext, path: KeyPath, names: Sequence[str], known: Iterable[str]) -> None:
    section = str(path[-1])
    kind, unknown, twice = _KINDS[section]
    for index, name in enumerate(names):
        if name not in known and not context.collector.is_dropped((section, name)):
            remedy = did_you_mean(name, known) or "name one of them"
            detail = f'"{name}" is not a {kind} (defined: {join_words(known) or "none"})'
            context.collector.add(unknown, (*path, index), detail, remedy)
        elif name in names[:index]:
            detail = f'"{name}" is in this list already'
            context.collector.add(twice, (*path, index), detail, f"name each {kind} once")
