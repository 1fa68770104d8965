"""From an inventory and the catalog to a `Stack`: every option with its value, every service ready to lay out."""

import re

from msgspec import UNSET
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.host_paths import is_absolute
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import check_free_values
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.checks import check_stack
from anvil_gen.resolve.context import Folders, ResolveContext
from anvil_gen.resolve.egress import check_way_in
from anvil_gen.resolve.env_variables import variables_of
from anvil_gen.resolve.experiment import build_experiment
from anvil_gen.resolve.extra_service import build_extras
from anvil_gen.resolve.layers import Layer, layered, set_fields
from anvil_gen.resolve.model import Gpu, Mode, Stack, Tier
from anvil_gen.resolve.model_server import resolve_server
from anvil_gen.resolve.modes import build_modes
from anvil_gen.resolve.options import GpuOptions, HostOptions, TierOptions
from anvil_gen.resolve.router import RouterSpec, resolve_router_spec
from anvil_gen.resolve.served_names import further_names, takes_any_name
from anvil_gen.resolve.tier import build_tier
from anvil_gen.values import KeyPath


def resolve(
    inventory: Inventory, catalog: Catalog, collector: Collector, host: HostOptions, *, header: str, folders: Folders
) -> Stack:
    """Resolve an inventory; errors go to ``collector``, and what they are about is left out of the result.

    Args:
        inventory: the decoded inventory.
        catalog: engines, routers, vendors and defaults.
        collector: takes every error, so that all are reported at once.
        host: the resolved ``[host]`` options.
        header: the inventory's name as the rendered files' headers give it.
        folders: the inventory's, which relative paths start from, and the rendered tree's.
    """
    context = ResolveContext(
        inventory=inventory,
        catalog=catalog,
        collector=collector,
        platform=host.platform,
        gpus=_gpus(inventory, catalog, collector, host.platform),
        folder=folders[0],
        output=folders[1],
        sealed=host.egress == "deny",
    )
    _check_folders(inventory, collector)
    check_free_values(collector)
    spec = resolve_router_spec(context, project=host.project)
    check_way_in(context)
    tiers = _tiers(context, spec)
    if _has_no_tiers(inventory, collector):
        spec = None  # a router to nothing
    modes = build_modes(context, spec, tiers)
    services, experiment = build_extras(context), build_experiment(context, tiers, host=host.name)
    stack = Stack(
        host=host.name,
        project=host.project,
        platform=context.platform,
        inventory=header,
        gpus=tuple(context.gpus.values()),
        tiers=tuple(_with_root_file(tier, modes) for tier in tiers),
        services=services,
        modes=modes,
        router=modes[0].router,
        experiment=experiment,
        variables=variables_of(inventory, tiers, services, modes[0].router, experiment),
    )
    check_stack(stack, inventory, collector)
    return stack


def _tiers(context: ResolveContext, spec: RouterSpec | None) -> tuple[Tier, ...]:
    tables = context.inventory.tiers.items()
    servers = {
        name: resolve_server(context, TierOptions, table, ("tiers", name), {"name": name}) for name, table in tables
    }
    names = further_names(context, spec, servers)
    return tuple(
        build_tier(context, name, server, names.get(name, ()), any_name=takes_any_name(spec, server))
        for name, server in servers.items()
    )


def _has_no_tiers(inventory: Inventory, collector: Collector) -> bool:
    """Return whether an inventory serves nothing yet, and warn of it."""
    if inventory.tiers or collector.is_dropped(("tiers",)):
        return False
    remedy = 'add a table [tiers.NAME] with its "engine"'
    collector.add("no-tiers", (), "the inventory serves nothing yet", remedy, severity="warning")
    return True


def _with_root_file(tier: Tier, modes: tuple[Mode, ...]) -> Tier:
    """Return a tier with the root file of the first mode that runs it; without one, it keeps its own file."""
    found = (mode.root_file for mode in modes if tier.name in [member.name for member in mode.tiers])
    return replace(tier, root_file=next(found, tier.root_file))


def _check_folders(inventory: Inventory, collector: Collector) -> None:
    for table, key, value in (
        ("paths", "models", inventory.paths.models),
        ("hfcache", "path", inventory.hfcache.path),
    ):
        if value is not UNSET and not is_absolute(value):
            remedy = "write it from the root on: /srv/models, C:/models, //server/share/models"
            collector.add("not-an-absolute-path", (table, key), f'"{value}"', remedy)
    if inventory.hfcache.path is not UNSET and inventory.hfcache.volume is not UNSET:
        detail = '"path" and "volume" both say where the cache is'
        collector.add("two-fields-for-one-thing", ("hfcache", "path"), detail, "keep one of them")


def _gpus(inventory: Inventory, catalog: Catalog, collector: Collector, platform: str) -> dict[str, Gpu]:
    gpus: dict[str, Gpu] = {}
    seen: dict[tuple[str, str], str] = {}  # by vendor, since some of them only number their GPUs
    for name, table in inventory.gpus.items():
        path: KeyPath = ("gpus", name)
        options = layered(
            GpuOptions,
            Layer(name="templates/defaults.toml", values=catalog.defaults["gpu"]),
            Layer(name=f"[gpus.{name}]", values=set_fields(table), path=path),
        )
        vendor = catalog.vendor(options.vendor)
        if vendor is None:
            collector.add("unknown-vendor", (*path, "vendor"), *catalog.unknown("gpus", options.vendor))
        elif options.uuid is None:
            collector.missing_key(path, "uuid", f"write it: {vendor.uuid_help}")
        elif not re.fullmatch(vendor.uuid_pattern, options.uuid):
            collector.add("invalid-form", (*path, "uuid"), f'"{options.uuid}"', vendor.uuid_help)
        else:
            other = seen.setdefault((options.vendor, options.uuid.lower()), name)
            if platform in vendor.unsupported:
                remedy = "add what it needs by override, or take another GPU"
                where = (*path, "vendor")
                collector.add("not-on-this-platform", where, vendor.unsupported[platform], remedy, severity="warning")
            if other != name:
                collector.add(
                    "uuid-taken-twice",
                    (*path, "uuid"),
                    f'"{other}" has it already',
                    f"each GPU has its own: {vendor.uuid_help}",
                )
            gpus[name] = Gpu(
                name=name,
                uuid=options.uuid,
                vendor=options.vendor,
                memory_mib=options.memory_mib,
                reserve_mib=options.reserve_mib,
                compute_capability=options.compute_capability,
            )
    return gpus
