"""The GPUs of an inventory, and what can be said of the services that ask for them."""

import re
from collections.abc import Iterable, Iterator

from msgspec import UNSET

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.gpu_vendor import Vendor
from anvil_gen.diagnostics import Severity, join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.layers import Layer, layered, set_fields
from anvil_gen.resolve.model import Stack, Tier
from anvil_gen.resolve.options import GpuOptions, HostOptions
from anvil_gen.values import KeyPath, VariableValue


def resolve_gpus(inventory: Inventory, catalog: Catalog, collector: Collector, host: HostOptions) -> dict[str, Gpu]:
    """Return the GPUs of `[gpus]` by name, without those that have an error."""
    platform = host.platform
    gpus: dict[str, Gpu] = {}
    seen: dict[tuple[str, str], Gpu] = {}  # by vendor, since some of them only number their GPUs
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
        elif _is_identified(options, vendor, host, collector, path):
            gpus[name] = _gpu(name, options)
            _check_gpu(gpus[name], vendor, platform, collector, seen)
    return gpus


def _gpu(name: str, options: GpuOptions) -> Gpu:
    return Gpu(
        name=name,
        uuid=options.uuid,
        index=options.index if options.uuid is None else None,
        vendor=options.vendor,
        memory_mib=options.memory_mib,
        reserve_mib=options.reserve_mib,
        compute_capability=options.compute_capability,
    )


def _is_identified(options: GpuOptions, vendor: Vendor, host: HostOptions, collector: Collector, path: KeyPath) -> bool:
    """Tell whether a GPU has a UUID or an index, with a diagnostic for what is wrong with it."""
    uuid, index = options.uuid, options.index
    if uuid is not None and index is not None:
        detail = '"uuid" and "index" both say which GPU it is'
        collector.add("two-fields-for-one-thing", (*path, "index"), detail, "keep the uuid", key=True)
    if uuid is None and index is None:
        if not collector.is_dropped((*path, "index")):
            collector.missing_key(path, "uuid", f"write it: {vendor.uuid_help}; where it has none, index = 0")
    elif uuid is None and vendor.index_moves:
        detail = vendor.index_moves
        if any("{uuids}" in value for value in vendor.platforms.get(host.platform, {}).values()):
            detail += (
                f"; and on {host.platform} an engine cannot be pinned by it: `anvil-gen doctor --probe` measures it"
            )
        remedy = f"write its uuid instead: {vendor.uuid_help}"
        collector.add("gpu-by-index", (*path, "index"), detail, remedy, severity="warning")
    elif uuid is not None and not _has_form(uuid, vendor, host.gpu_request):
        collector.add("invalid-form", (*path, "uuid"), f'"{uuid}"', vendor.uuid_help)
        return False
    return uuid is not None or index is not None


def _has_form(uuid: str, vendor: Vendor, gpu_request: str) -> bool:
    """Tell whether a UUID is one of the vendor's, and one that the host's GPUs can be asked for by."""
    form = {str(name): form for name, form in vendor.requests.items()}.get(gpu_request)
    prefix = form.uuid_prefix if form is not None else ""
    return bool(re.fullmatch(vendor.uuid_pattern, uuid) and re.match(prefix, uuid))


def _check_gpu(gpu: Gpu, vendor: Vendor, platform: str, collector: Collector, seen: dict[tuple[str, str], Gpu]) -> None:
    """Report a platform on which a GPU does not work, and one that is in the inventory twice."""
    path: KeyPath = ("gpus", gpu.name)
    if platform in vendor.unsupported:
        remedy = "add what it needs by override, or take another GPU"
        detail = vendor.unsupported[platform]
        collector.add("not-on-this-platform", (*path, "vendor"), detail, remedy, severity="warning")
    other = seen.setdefault((gpu.vendor, gpu.device_id.lower()), gpu)
    if other is not gpu:
        key = "uuid" if gpu.uuid is not None else "index"
        remedy = f"each GPU has its own: {vendor.uuid_help}"
        varies = any(isinstance(one.index if one.uuid is None else one.uuid, VariableValue) for one in (gpu, other))
        detail = f'"{other.name}" has it already' + (" where no variable says otherwise" if varies else "")
        severity: Severity = "warning" if varies else "error"
        collector.add("uuid-taken-twice", (*path, key), detail, remedy, severity=severity)


def check_gpu_requests(context: ResolveContext, stack: Stack) -> None:
    """Report GPUs that cannot be asked for as the host says, and warn once of those that nothing is known of."""
    services = [tier.service for tier in stack.tiers]
    services += [stack.experiment.service] if stack.experiment is not None else []
    for name in dict.fromkeys(service.gpus.vendor for service in services if service.gpus is not None):
        _check_form(context, name)
    unnamed = [tier for tier in stack.tiers if tier.gpu_request is not None and tier.gpu_request.count is not None]
    if unnamed:
        _warn_of_unnamed(context, stack, unnamed)


def _check_form(context: ResolveContext, name: str) -> None:
    vendor = context.catalog.vendor(name)
    if vendor is None or context.gpu_request in vendor.requests:
        return
    is_written = context.inventory.host.gpu_request is not UNSET
    detail = f'{vendor.title} GPUs cannot be asked for by "{context.gpu_request}"'
    remedy = f"write one of: {join_words(map(str, vendor.requests))}"
    path: KeyPath = ("host", "gpu_request") if is_written else ("host",)
    context.collector.add("not-for-this-vendor", path, detail, remedy, key=not is_written)


def _warn_of_unnamed(context: ResolveContext, stack: Stack, unnamed: list[Tier]) -> None:
    takes = ", ".join(f'"{tier.name}" takes {_words(tier)}' for tier in unnamed)
    detail = f"{takes}: that their memory suffices, and that no other tier takes it, is not checked"
    together = next(_together(stack, unnamed), ())
    if together:
        names = " and ".join(f'"{tier.name}"' for tier in together)
        detail += f"; {names} may be on one GPU"
    remedy = "name the GPUs in [gpus], by uuid or index"
    path: KeyPath = (*unnamed[0].table, "gpus")
    written = unnamed[0].options.path_of("gpus")
    context.collector.add("gpus-without-names", written or path, detail, remedy, severity="warning")


def _words(tier: Tier) -> str:
    words = tier.gpu_request.words if tier.gpu_request is not None else ()
    return f"{'the ' if words[0] != 'all' else ''}{words[0]}"


def _together(stack: Stack, unnamed: Iterable[Tier]) -> Iterator[list[Tier]]:
    """Yield the tiers of each mode that may hold the same GPU, because one of them names none."""
    names = {tier.name for tier in unnamed}
    for tiers in (tiers for mode in stack.modes for tiers in mode.together):
        holders = [tier for tier in tiers if tier.gpu_request is not None]
        if len(holders) > 1 and not names.isdisjoint(tier.name for tier in holders):
            yield holders
