"""The front door: which model names reach which tier."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, Struct

from anvil_gen.catalog import RouterKind
from anvil_gen.diagnostics import did_you_mean, listing
from anvil_gen.model import KeyPath, Options, Route, Router, Symbol, Tier, published
from anvil_gen.options import Layer, filled, given, layered
from anvil_gen.own_keys import compose_form, named_volumes
from anvil_gen.serve import Site, env_text
from anvil_gen.service import health_check


class Gate(Struct, frozen=True, kw_only=True):
    """A router before it is known which tiers it routes to."""

    name: Symbol
    kind: RouterKind
    options: Options
    project: str


def read_gate(site: Site, *, project: str) -> Gate | None:
    """Return the inventory's router; None where it has none, or, with a diagnostic, an unknown one."""
    table, catalog = site.inventory.router, site.catalog
    if table is UNSET:
        return None
    name = Symbol(catalog.defaults["router"]["engine"] if table.engine is UNSET else table.engine)
    kind = catalog.router(name)
    if kind is None:
        site.report.add("unknown router", ("router", "engine"), *catalog.unknown("routers", name))
        return None
    options = layered(
        Layer(name="templates/defaults.toml", values=filled(catalog.defaults["router"], {"project": project})),
        Layer(name=f"templates/routers/{name}/router.toml", values=kind.defaults),
        Layer(name="[router]", values=given(table), path=("router",)),
    )
    key = options["api_key_env"]
    if key in kind.reserved_variables:
        detail = f'the router\'s container has another use for "{key}"'
        site.report.add("variable taken twice", ("router", "api_key_env"), detail, 'write "ROUTER_TOKEN", for example')
    return Gate(name=name, kind=kind, options=options, project=project)


def build_router(gate: Gate, tiers: tuple[Tier, ...], routes: tuple[Route, ...]) -> Router:
    """Return the router of one mode."""
    kind, options = gate.kind, gate.options
    return Router(
        engine=gate.name,
        service=options["service"],
        container_name=options["container_name"],
        image=None if options["image"] is None else env_text(options["image"]),
        port=options["port"],
        ports=published(options["bind"], str(options["port"])),
        api_key_env=options["api_key_env"],
        restart=options["restart"],
        stop_grace_period=options["stop_grace_period"],
        log_max_size=options["log_max_size"],
        log_max_file=str(options["log_max_files"]),
        health=health_check(kind.health, str(options["port"]), kind.health.start_period),
        stack=gate.project.removeprefix(kind.project_prefix),
        omitted=(
            *((Symbol("router/build/"),) if options["image"] is not None else ()),
            *(() if gate.project.startswith(kind.project_prefix) else map(Symbol, kind.prefixed_files)),
        ),
        tiers=tuple(tier for tier in tiers if tier.task in kind.tasks),
        alias_tasks=tuple(Symbol(task) for task in kind.alias_tasks),
        routes=routes,
        override=compose_form(options["override"]),
        override_volumes=named_volumes(options["override"].get("volumes")),
        variables=kind.variables,
        options=options,
    )


def build_routes(
    site: Site, gate: Gate, tiers: tuple[Tier, ...], aliases: Mapping[str, tuple[str, KeyPath]]
) -> tuple[Route, ...]:
    """Return every name that a client may ask for: each tier's served name, then the aliases, sorted.

    Args:
        site: takes the faults.
        gate: the router.
        tiers: those that run together.
        aliases: further names, each with its tier and the place where it is written.
    """
    kind, by_name = gate.kind, {tier.name: tier for tier in tiers}
    wanted = [
        (
            tier.served_name,
            tier.name,
            tier.options.origin("served_name").path or ("tiers", tier.name),
            "the served name",
        )
        for tier in tiers
        if tier.task in kind.tasks
    ]
    for alias, (target, path) in sorted(aliases.items()):
        tier = by_name.get(target)
        if tier is None:
            _missing_tier(site, target, path, tiers)
        elif tier.task not in kind.alias_tasks:
            detail = f'{kind.title} routes "{tier.task}" by the served name alone'
            site.report.add("alias that cannot be routed", path, detail, f'ask for "{tier.served_name}"')
        else:
            wanted.append((alias, target, path, "an alias"))
    taken: dict[str, tuple[str, str]] = {}
    routes = []
    for name, target, path, what in wanted:
        folded = name if kind.case_sensitive else name.casefold()
        other, by = taken.setdefault(folded, (target, what))
        if other != target:
            remedy = "give it another name: a request names one tier"
            site.report.add("model name taken twice", path, f'"{name}" is already {by} of "{other}"', remedy)
        elif (other, by) == (target, what):
            routes.append(Route(name=name, tier=target, task=by_name[target].task))
    return tuple(routes)


def _missing_tier(site: Site, target: str, path: KeyPath, tiers: tuple[Tier, ...]) -> None:
    """Report an alias whose tier does not exist, or does not run in the alias' mode."""
    known, report = site.inventory.tiers, site.report
    if target in known:
        # One of [router] may well name a tier that only some modes run.
        if path[0] == "modes" and not report.is_left_out(("tiers", target)):
            detail = f'"{target}" does not run in this mode: it has {listing(tier.name for tier in tiers)}'
            report.add("alias to a missing tier", path, detail, "add the tier to the mode, or name one of it")
    elif known and not report.is_left_out(("tiers", target)):
        remedy = did_you_mean(target, known) or "name one of them"
        detail = f'"{target}" is no tier: the inventory has {listing(known)}'
        report.add("alias to a missing tier", path, detail, remedy)
