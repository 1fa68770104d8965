"""Modes: sets of tiers that run together, each with a root file and routes of its own."""

from __future__ import annotations

from msgspec import UNSET

from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.inventory.schema import ModeTable
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import Mode, Tier
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


def build_modes(context: ResolveContext, spec: RouterSpec | None, tiers: tuple[Tier, ...]) -> tuple[Mode, ...]:
    """Return the modes of an inventory, the default one first: every tier that is not on standby."""
    standing = tuple(tier for tier in tiers if not tier.options.standby)
    if tiers and not standing:
        detail = "every tier is on standby: without a mode, nothing would run"
        context.collector.add("no-tiers", ("tiers", tiers[0].name, "standby"), detail, "take standby from one of them")
    default = _mode(context, spec, "", standing, None)
    modes = [default]
    for name, table in context.inventory.modes.items():
        if name in RESERVED:
            collector = context.collector
            collector.add("invalid-name", ("modes", name), RESERVED[name], "write another name", key=True)
            continue
        mode = _mode(context, spec, name, _tiers(context, name, table, tiers), table)
        same = _routing(mode) == _routing(default)
        modes.append(
            Mode(
                name=mode.name,
                root_file=mode.root_file,
                tiers=mode.tiers,
                router=mode.router,
                router_file=ROUTER_FILE if same else mode.router_file,
            )
        )
    return tuple(modes)


def _mode(
    context: ResolveContext, spec: RouterSpec | None, name: str, tiers: tuple[Tier, ...], table: ModeTable | None
) -> Mode:
    router = None
    if spec is not None:
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
        router=router,
        router_file=f"router/compose.{name}.yml" if name else ROUTER_FILE,
    )


def _routing(mode: Mode) -> object:
    return mode.router and (mode.router.routes, tuple(tier.name for tier in mode.router.tiers))


def _tiers(context: ResolveContext, mode: str, table: ModeTable, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    known = context.inventory.tiers
    for index, name in enumerate(table.tiers):
        path: KeyPath = ("modes", mode, "tiers", index)
        if name not in known and not context.collector.is_dropped(("tiers", name)):
            remedy = did_you_mean(name, known) or "name one of them"
            context.collector.add(
                "unknown-tier", path, f'"{name}" is not a tier (defined: {join_words(known)})', remedy
            )
        elif name in table.tiers[:index]:
            context.collector.add("tier-named-twice", path, f'"{name}" is in this list already', "name each tier once")
    # In the inventory's order, whatever the mode's: a reordered mode changes nothing.
    return tuple(tier for tier in tiers if tier.group in table.tiers)
