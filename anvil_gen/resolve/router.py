"""The router: which model names reach which tier."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.catalog.engine import ModelsEndpoint
from anvil_gen.catalog.health import Health
from anvil_gen.catalog.router import RouterKind
from anvil_gen.inventory.schema_router import RouterTierTable
from anvil_gen.resolve.compose_keys import with_image
from anvil_gen.resolve.compose_service import health_check, logging_of, published
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.layers import Layer, layered
from anvil_gen.resolve.model import Mount, Port, Router, Tier, Upstream
from anvil_gen.resolve.mounts import own_mounts
from anvil_gen.resolve.networks import DEFAULT, declared, declared_by, networks_of
from anvil_gen.resolve.options import RouterOptions
from anvil_gen.resolve.override_merge import declaring
from anvil_gen.resolve.peers import other_hosts, with_hosts
from anvil_gen.resolve.relative_paths import placed_layers
from anvil_gen.resolve.router_clients import check_clients, clients_of
from anvil_gen.resolve.router_mistakes import report_missing_tier
from anvil_gen.resolve.router_model import Route, TierCheck
from anvil_gen.resolve.router_options import (
    check_feature,
    check_supported,
    check_tier,
    kinds_that,
    router_limits,
    seconds_of,
)
from anvil_gen.resolve.router_paths import check_paths, form_routes, path_routes
from anvil_gen.resolve.selinux import has_foreign, unlabelled
from anvil_gen.resolve.server_checks import check_log_fields
from anvil_gen.values import KeyPath, VariableValue, fill_placeholders, text_of

_FOLDER = "router"
_AROUND = 20
"""Bytes that a name's entry in the list of models has, besides what it says."""


class RouterSpec(Struct, frozen=True, kw_only=True):
    """A router before it is known which tiers it routes to."""

    name: str
    kind: RouterKind
    options: RouterOptions
    project: str


def resolve_router_spec(context: ResolveContext, *, project: str) -> RouterSpec | None:
    """Return the inventory's router; None where it has none, or, with a diagnostic, an unknown one."""
    table, catalog = context.inventory.router, context.catalog
    if table is UNSET:
        return None
    name = catalog.defaults["router"]["kind"] if table.kind is UNSET else table.kind
    kind = catalog.router(name)
    if kind is None:
        context.collector.add("unknown-router", ("router", "kind"), *catalog.unknown("routers", name))
        return None
    options = layered(
        RouterOptions,
        Layer(
            name="templates/defaults.toml", values=fill_placeholders(catalog.defaults["router"], {"project": project})
        ),
        Layer(name=f"templates/routers/{name}/router.toml", values=kind.defaults),
        Layer(name="[monitoring]", values=_watched(context, kind)),
        *placed_layers(context, table, ("router",), _FOLDER),
    )
    check_supported(context, kind, options)
    check_clients(context, kind, options)
    _check_tiers(context, options)
    check_paths(context, kind, options)
    check_log_fields(context, ("router",))
    _check_ports(context, kind, options)
    _check_network(context, kind, options)
    return RouterSpec(name=name, kind=kind, options=options, project=project)


def _watched(context: ResolveContext, kind: RouterKind) -> dict[str, int | str]:
    """Return where a router has its metrics, if something asks for them: on their own port, or behind its key."""
    metrics = kind.metrics if context.inventory.monitoring is not UNSET else None
    return {} if metrics is None else {"metrics": metrics.port or "key"}


def _check_ports(context: ResolveContext, kind: RouterKind, options: RouterOptions) -> None:
    """Report a port that something else in the router's container listens on."""
    if options.metrics == options.port:
        detail = f"{options.port} is the router's own port in its container"
        context.collector.add("port-taken-twice", ("router", "metrics"), detail, "write another port")
    for name in ("port", "metrics"):
        port = options.get(name)
        if port in kind.internal_ports:
            detail = f"{kind.title} needs {port} for itself in its container"
            context.collector.add("port-taken-twice", ("router", name), detail, "write another port")


def _check_network(context: ResolveContext, kind: RouterKind, options: RouterOptions) -> None:
    """Report another network for a router that takes commands on its own loopback, which must be nobody else's."""
    if "reload" in kind.supports and "network_mode" in options.override:
        detail = f"{kind.title} takes commands on its loopback, which would be another's"
        context.collector.add("not-for-this-router", ("router", "override", "network_mode"), detail, "remove it")


def _check_list_size(context: ResolveContext, kind: RouterKind, routes: tuple[Route, ...]) -> None:
    """Report more names than a router can list."""
    size = sum(len(route.card) + _AROUND for route in routes)
    if kind.names_limit is not None and size > kind.names_limit:
        detail = f"the list of models takes {size} bytes, and {kind.title} holds {kind.names_limit}"
        context.collector.add(
            "too-many-model-names", ("router",), detail, "write fewer aliases, or shorter ones", key=True
        )


def _override(context: ResolveContext, options: RouterOptions, mounts: Sequence[Mount]) -> Mapping[str, Any]:
    """Return Compose's own keys of the router, which may have files of the host besides those of its folder."""
    has_certificates = options.tls is not None or context.peers != ()
    return unlabelled(options.override, context, foreign=has_certificates or has_foreign(mounts))


def build_router(
    context: ResolveContext, spec: RouterSpec, tiers: tuple[Tier, ...], routes: tuple[Route, ...]
) -> Router:
    """Return the router of one mode."""
    kind, options = spec.kind, spec.options
    servers = _served(context, kind, tiers)
    served, by_tier = tuple(tier for tier in servers if not tier.replica_of), _Servers(servers)
    limits = router_limits(context, options)
    paths = path_routes(context.catalog, kind, options, served)
    mounts = own_mounts(context, options, ("router",), {}, folder=_FOLDER)
    networks = networks_of(context, options, ("router",), sealed=limits.sealed)
    _check_list_size(context, kind, routes)
    return Router(
        kind=spec.name,
        service=options.service,
        container_name=options.container_name or None,
        image=None if options.image is None else context.lock.image(text_of(options.image)),
        port=int(options.port),
        ports=(*published(options.bind, text_of(options.port), str(options.port)), *_metrics_port(options)),
        further_ports=(),
        clients=clients_of(options),
        limits=limits,
        restart=options.restart or None,
        init=options.init,
        stop_grace_period=options.stop_grace_period or None,
        logging=logging_of(options),
        health=health_check(_health(spec), str(options.port), kind.health.start_period),
        stack=spec.project.removeprefix(kind.project_prefix),
        omitted=(
            *(("router/build/",) if options.image is not None else ()),
            *(() if spec.project.startswith(kind.project_prefix) else kind.prefixed_files),
            *(() if limits.metrics_port or limits.metrics_key else kind.metrics_files),
            *(() if options.api_key_sha256 else kind.digest_files),
        ),
        tiers=served,
        others=other_hosts(context.peers, options, clients_of(options), routes),
        upstreams=tuple(_upstream(context, spec, tier, by_tier, limits.timeout) for tier in served),
        alias_tasks=kind.alias_tasks,
        routes=routes,
        paths=paths,
        form_routes=form_routes(paths, routes),
        reloads="reload" in kind.supports,
        mounts=mounts,
        networks=networks,
        declared=declared(context, mounts, networks or (DEFAULT,), folder=_FOLDER),
        override=with_image(_override(context, options, mounts), context.lock),
        override_declared=declared_by(context, declaring(options.override), folder=_FOLDER),
        variables=kind.variables,
        options=options,
    )


def _served(context: ResolveContext, kind: RouterKind, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    """Return the servers that a router routes to; report what its own files say of one and is a variable."""
    served = tuple(tier for tier in tiers if tier.task in kind.tasks and tier.answers)
    for tier in served:
        if tier.replica_of:
            check_feature(context, kind, tier.options.path_of("replicas") or tier.table, "replicas")
        for name in ("served_name", *kind.reads):
            if isinstance(tier.options.get(name), VariableValue):
                path = tier.options.path_of(name) or tier.table
                detail = f"{kind.title}'s own files say it, in which Compose puts no variables"
                remedy = "write the value itself"
                context.collector.add("variable-where-a-value-is-needed", path, detail, remedy)
    return served


def _health(spec: RouterSpec) -> Health:
    """Return the check of a router, which differs where it serves HTTPS."""
    health = spec.kind.health
    return replace(health, test=health.tls_test) if spec.options.tls is not None and health.tls_test else health


def _metrics_port(options: RouterOptions) -> tuple[Port, ...]:
    """Return where metrics without a key are published: to the host itself."""
    port = options.metrics
    return (
        published("127.0.0.1", text_of(port), str(port)) if isinstance(port, int) and options.bind is not False else ()
    )


class _Servers:
    """The servers of a mode, by the tier whose replicas they are, and who listens on a port."""

    def __init__(self, servers: Iterable[Tier]) -> None:
        self.of_tier: dict[str, list[Tier]] = {}
        self.listening: dict[Any, set[str]] = {}
        for server in servers:
            self.of_tier.setdefault(server.group, []).append(server)
            self.listening.setdefault(server.container_port, set()).add(server.group)

    def replicas(self, tier: Tier) -> tuple[Tier, ...]:
        """Return the further servers of a tier."""
        return tuple(one for one in self.of_tier[tier.name] if one.replica_of)


def _upstream(context: ResolveContext, spec: RouterSpec, tier: Tier, servers: _Servers, timeout: int) -> Upstream:
    """Return a tier as the router sees it: with those of its fallbacks that run in the same mode."""
    table = spec.options.tiers.get(tier.name, RouterTierTable())
    here: KeyPath = ("router", "tiers", tier.name, "timeout")
    has_own = table.timeout is not UNSET
    wanted = spec.options.fallbacks.get(tier.name, ())
    return Upstream(
        tier=tier,
        replicas=servers.replicas(tier),
        timeout=seconds_of(context, str(table.timeout), here) if has_own else timeout,
        concurrency=None if table.concurrency is UNSET else table.concurrency,
        fallbacks=tuple(other for name in wanted for other in servers.of_tier.get(name, ())),
        sticky=None if table.sticky is UNSET else table.sticky,
        check=_check(context, spec, tier, servers),
    )


def _check(context: ResolveContext, spec: RouterSpec, tier: Tier, servers: _Servers) -> TierCheck | None:
    """Return how the router sees that a tier serves; None where a connection tells.

    A replica that still loads its model would be given requests that another one could answer.
    """
    is_shared = any(len(servers.listening[one.container_port]) > 1 for one in servers.of_tier[tier.name])
    if spec.kind.proves_names and is_shared:
        return _name_check(context, tier)
    return TierCheck(path=tier.health_path) if servers.replicas(tier) and tier.health_path else None


def _name_check(context: ResolveContext, tier: Tier) -> TierCheck | None:
    """Return how the router sees that it is a tier that answers, where another one listens on the same port.

    Docker gives the address of a container that stops to the next that starts, and the router may not know yet. An
    engine that does not tell its served name is reported.
    """
    engine = context.catalog.engine(tier.engine)
    endpoint = engine.models_endpoint if engine is not None else ModelsEndpoint()
    if endpoint != ModelsEndpoint():
        detail = f"{tier.container_port} is another tier's too, and {tier.engine} does not tell which of them answers"
        context.collector.add("port-taken-twice", (*tier.table, "container_port"), detail, "write another port")
        return None
    return TierCheck(path=endpoint.path, pattern=f'"id": ?{re.escape(json.dumps(tier.served_name))}')


def _check_tiers(context: ResolveContext, options: RouterOptions) -> None:
    """Report tiers that ``[router]`` names and that there are not, or that cannot replace each other."""
    for name in options.tiers:
        check_tier(context, name, ("router", "tiers", name), key=True)
    if options.default_tier is not None:
        check_tier(context, options.default_tier, ("router", "default_tier"))
    for name, fallbacks in options.fallbacks.items():
        here: KeyPath = ("router", "fallbacks", name)
        known = check_tier(context, name, here, key=True)
        for index, other in enumerate(fallbacks):
            if check_tier(context, other, (*here, index)) and known:
                _check_fallback(context, name, other, (*here, index), fallbacks[:index])


def _check_fallback(context: ResolveContext, name: str, other: str, path: KeyPath, before: Sequence[str]) -> None:
    collector, inventory = context.collector, context.inventory
    tasks = [table.task for table in (inventory.tiers[name], inventory.tiers[other], inventory.defaults)]
    own, task = (next((one for one in (written, tasks[2]) if one is not UNSET), "chat") for written in tasks[:2])
    together = any(name in mode.tiers and other in mode.tiers for mode in inventory.modes.values())
    standby = [table.standby is True for table in (inventory.tiers[name], inventory.tiers[other])]
    if other == name:
        collector.add("fallback-to-itself", path, f'"{name}" is the tier that cannot answer', "name another tier")
    elif other in before:
        collector.add("tier-named-twice", path, f'"{other}" is in this list already', "name each tier once")
    elif own != task:
        detail = f'"{other}" does {task}, and "{name}" {own}'
        collector.add("fallback-of-another-task", path, detail, f"name a tier for {own}")
    elif any(standby) and not together:
        detail = f'"{other}" and "{name}" run together in no mode'
        collector.add("fallback-that-never-runs", path, detail, "name both in a mode, or take standby from them")


def build_routes(
    context: ResolveContext, spec: RouterSpec, tiers: tuple[Tier, ...], aliases: Mapping[str, tuple[str, KeyPath]]
) -> tuple[Route, ...]:
    """Return every name that a client may ask for: each tier's served name, then the aliases, sorted.

    Args:
        context: takes the errors.
        spec: the router.
        tiers: those that run together.
        aliases: further names, each with its tier and the place where it is written.
    """
    kind, tiers = spec.kind, tuple(tier for tier in tiers if not tier.replica_of and tier.answers)
    by_name = {tier.name: tier for tier in tiers}
    wanted = [
        (name, tier.name, _name_path(tier, name), "the served name")
        for tier in tiers
        if tier.task in kind.tasks
        for name in tier.models
    ]
    for alias, (target, path) in sorted(aliases.items()):
        tier = by_name.get(target)
        if tier is None:
            report_missing_tier(context, target, path, tiers)
        elif tier.task not in kind.alias_tasks:
            detail = f'{kind.title} routes "{tier.task}" by the served name alone'
            others = kinds_that(context.catalog, partial(_takes_alias, tier.task))
            remedy = f'ask for "{tier.served_name}"' + (f", or write {others}" if others else "")
            context.collector.add("alias-that-cannot-be-routed", path, detail, remedy)
        else:
            wanted.append((alias, target, path, "an alias"))
    taken: dict[str, tuple[str, str]] = {}
    routes = []
    for name, target, path, what in wanted:
        if not _reads_name(name, kind):
            detail = f'"{name}": {kind.title} {kind.name_help}'
            others = kinds_that(context.catalog, partial(_reads_name, name))
            remedy = "write another name" + (f", or {others}" if others else "")
            context.collector.add("model-name-that-cannot-be-routed", path, detail, remedy)
        folded = name if kind.case_sensitive else name.casefold()
        other, by = taken.setdefault(folded, (target, what))
        if other != target:
            remedy = "give it another name: a request names one tier"
            context.collector.add("model-name-taken-twice", path, f'"{name}" is already {by} of "{other}"', remedy)
        elif (other, by) == (target, what):
            routes.append(_route(kind, by_name[target], name))
    return with_hosts(context, routes, partial(_reads_name, kind=kind))


def _name_path(tier: Tier, name: str) -> KeyPath:
    """Return where the name of one of a tier's models is written."""
    options, here = tier.options, tier.table
    if options.served_names is not None and name in options.served_names:
        return options.path_of("served_names") or here
    return (options.path_of("served_name") if name == options.served_name else None) or here


def _takes_alias(task: str, kind: RouterKind) -> bool:
    return task in kind.alias_tasks


def _reads_name(name: str, kind: RouterKind) -> bool:
    return not kind.name_pattern or re.fullmatch(kind.name_pattern, name) is not None


def _route(kind: RouterKind, tier: Tier, name: str) -> Route:
    model = name if name in tier.models else tier.served_name
    entry = tier.name if model == tier.served_name else f"{tier.name}:{model}"
    return Route(
        name=name,
        tier=tier.name,
        task=tier.task,
        model=model,
        entry=entry,
        max_model_len=tier.context_length,
        how=_how(kind, tier, name),
    )


def _how(kind: RouterKind, tier: Tier, name: str) -> str:
    """Return how it comes that a tier answers to a name."""
    if name in tier.models:
        return "served"
    if "rewrite" in kind.supports:
        return "rewritten"
    return "told" if name in tier.names else "any"
