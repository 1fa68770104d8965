"""From an inventory and the catalog to a `Stack`: every option with its value, every service ready to lay out."""

import posixpath
from collections.abc import Iterator, Mapping
from functools import partial

from msgspec import UNSET
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.literal_secrets import check_literal_secrets
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.checks import check_stack
from anvil_gen.resolve.compose_key_checks import check_own_keys
from anvil_gen.resolve.context import FleetFacts, Folders, ResolveContext, TierServer
from anvil_gen.resolve.egress import check_way_in
from anvil_gen.resolve.env_variables import variables_of
from anvil_gen.resolve.experiment import build_experiment
from anvil_gen.resolve.extra_service import build_extras
from anvil_gen.resolve.gpus import check_gpu_requests, resolve_gpus
from anvil_gen.resolve.impossible_paths import check_climb, check_paths
from anvil_gen.resolve.likely_mistakes import check_likely_mistakes
from anvil_gen.resolve.model import ExtraService, Mode, Stack, Tier, TreeFile
from anvil_gen.resolve.model_names import model_names
from anvil_gen.resolve.model_server import resolve_server
from anvil_gen.resolve.model_source import presets_of
from anvil_gen.resolve.modes import build_modes, with_services
from anvil_gen.resolve.monitoring import build_monitoring
from anvil_gen.resolve.monitoring_services import build_monitoring_services
from anvil_gen.resolve.mounts import check_source
from anvil_gen.resolve.options import HostOptions, TierOptions
from anvil_gen.resolve.relative_paths import project_directory
from anvil_gen.resolve.replicas import replica_count, replica_name, replica_options
from anvil_gen.resolve.router import RouterSpec, resolve_router_spec
from anvil_gen.resolve.router_mistakes import check_router_mistakes
from anvil_gen.resolve.served_names import further_names, takes_any_name
from anvil_gen.resolve.tier import build_tier, tier_files


def resolve(
    inventory: Inventory,
    catalog: Catalog,
    collector: Collector,
    host: HostOptions,
    *,
    header: str,
    folders: Folders,
    lock: Lock,
    fleet: FleetFacts,
) -> Stack:
    """Resolve an inventory; errors go to ``collector``, and what they are about is left out of the result.

    Args:
        inventory: the decoded inventory, and `catalog` engines, routers, vendors and defaults.
        collector: takes every error, so that all are reported at once.
        host: the resolved ``[host]`` options.
        header: the inventory's name as the rendered files' headers give it.
        folders: the inventory's, which relative paths start from, and the rendered tree's.
        lock: what images and models are held to.
        fleet: what is known of other hosts.
    """
    context = _context(inventory, catalog, collector, host, folders=folders, lock=lock, fleet=fleet)
    _check_inventory(context)
    spec = resolve_router_spec(context, project=host.project)
    tiers = _tiers(context, spec)
    spec = None if _has_no_tiers(inventory, collector) else spec  # a router to nothing
    services, modes = _services_and_modes(context, spec, tiers)
    experiment, router = build_experiment(context, tiers, host=host.name), modes[0].router
    return _checked(
        context,
        Stack(
            host=host.name,
            project=host.project,
            project_directory=project_directory(context),
            platform=context.platform,
            selinux=context.selinux,
            inventory=header,
            gpus=tuple(context.gpus.values()),
            tiers=tuple(_with_root_files(tiers, modes)),
            services=services,
            modes=modes,
            router=router,
            experiment=experiment,
            monitoring=build_monitoring(context, host, tiers, modes),
            variables=variables_of(inventory, tiers, services, router, experiment),
        ),
    )


def _services_and_modes(
    context: ResolveContext, spec: RouterSpec | None, tiers: tuple[Tier, ...]
) -> tuple[tuple[ExtraService, ...], tuple[Mode, ...]]:
    services = build_extras(context)
    modes = build_modes(context, spec, tiers, services)
    always = build_monitoring_services(context, tiers, modes[0].router)
    return (*services, *always), with_services(modes, always)


def _check_inventory(context: ResolveContext) -> None:
    _check_folders(context.inventory, context.collector)
    for check in (check_own_keys, check_paths, check_literal_secrets):
        check(context.collector)
    check_way_in(context)


def _context(
    inventory: Inventory,
    catalog: Catalog,
    collector: Collector,
    host: HostOptions,
    *,
    folders: Folders,
    lock: Lock,
    fleet: FleetFacts,
) -> ResolveContext:
    return ResolveContext(
        inventory=inventory,
        catalog=catalog,
        collector=collector,
        platform=host.platform,
        architecture=host.architecture,
        gpus=resolve_gpus(inventory, catalog, collector, host),
        gpu_request=host.gpu_request,
        folder=folders[0],
        output=folders[1],
        project_directory=host.project_directory,
        peers=fleet.peers,
        federated=fleet.federated,
        sealed=host.egress == "deny",
        selinux=host.selinux,
        lock=lock,
        ranks=fleet.ranks,
    )


def _checked(context: ResolveContext, stack: Stack) -> Stack:
    """Return a stack, with what is wrong between its parts reported."""
    kind = context.catalog.router(stack.router.kind) if stack.router is not None else None
    proves_names = kind is not None and kind.proves_names
    check_stack(stack, context.inventory, context.collector, proves_names=proves_names)
    check_gpu_requests(context, stack)
    check_likely_mistakes(context, stack)
    check_router_mistakes(context, stack)
    return stack


def _tiers(context: ResolveContext, spec: RouterSpec | None) -> tuple[Tier, ...]:
    servers = _servers(context)
    files = {name: tier_files(context, server, name) for name, server in servers.items()}
    first = {name: server for name, server in servers.items() if server.options.replica == 1}
    names = {name: model_names(context, server, _presets(server, files[name])) for name, server in first.items()}
    further = further_names(context, spec, first, names)
    return tuple(
        build_tier(
            context,
            name,
            server,
            files=files[name],
            names=names[server.name],
            further_names=further.get(server.name, ()),
            any_name=takes_any_name(spec, server),
        )
        for name, server in servers.items()
    )


def _presets(server: TierServer, files: Mapping[str, TreeFile]) -> str | None:
    """Return the text of a tier's presets; None where it has none, or they cannot be read."""
    presets = presets_of(server)
    return files[presets[0]].text if presets is not None and presets[0] in files else None


def _servers(context: ResolveContext) -> dict[str, TierServer]:
    """Return the servers of all tiers by their names, replicas behind the first one."""
    servers: dict[str, TierServer] = {}
    for name in context.inventory.tiers:
        servers[name] = _server(context, name, 1)
        for number in range(2, replica_count(context, servers[name]) + 1):
            servers[replica_name(name, number)] = _server(context, name, number)
    return servers


def _server(context: ResolveContext, name: str, number: int) -> TierServer:
    table, adapt = context.inventory.tiers[name], partial(replica_options, number=number)
    return resolve_server(context, TierOptions, table, ("tiers", name), {"name": name}, adapt=adapt)


def _has_no_tiers(inventory: Inventory, collector: Collector) -> bool:
    """Return whether an inventory serves nothing yet, and warn of it."""
    if inventory.tiers or collector.is_dropped(("tiers",)):
        return False
    remedy = 'add a table [tiers.NAME] with its "engine"'
    collector.add("no-tiers", (), "the inventory serves nothing yet", remedy, severity="warning")
    return True


def _with_root_files(tiers: tuple[Tier, ...], modes: tuple[Mode, ...]) -> Iterator[Tier]:
    """Yield tiers with the root file of the first mode that runs each; without one, it keeps its own file."""
    found = {member.name: mode.root_file for mode in reversed(modes) for member in mode.tiers}
    yield from (replace(tier, root_file=found.get(tier.name, tier.root_file)) for tier in tiers)


def _check_folders(inventory: Inventory, collector: Collector) -> None:
    for table, key, value in (
        ("paths", "models", inventory.paths.models),
        ("hfcache", "path", inventory.hfcache.path),
    ):
        if value is not UNSET and posixpath.normpath(value).strip("/"):  # the whole host is refused for itself
            check_source(collector, inventory, value, (table, key))
    if inventory.host.project_directory is not UNSET:
        check_climb(collector, ("host", "project_directory"), inventory.host.project_directory)
    if inventory.hfcache.path is not UNSET and inventory.hfcache.volume is not UNSET:
        detail = '"path" and "volume" both say where the cache is'
        collector.add("two-fields-for-one-thing", ("hfcache", "path"), detail, "keep one of them")
