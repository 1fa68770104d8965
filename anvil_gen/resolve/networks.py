"""The networks that services are on, and what their files declare of networks and volumes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import DECLARED
from anvil_gen.inventory.schema import Inventory
from anvil_gen.inventory.schema_mounts import NetworkTable
from anvil_gen.resolve.compose_keys import compose_form, named_files, named_volumes
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.egress import INTERNAL
from anvil_gen.resolve.layers import set_fields
from anvil_gen.resolve.model import Declared, Mode, Mount, Networks, Router, Service, Stack, Tier
from anvil_gen.resolve.options import ALL_ADDRESSES, RouterOptions, ServerOptions
from anvil_gen.resolve.override_merge import REMOVED
from anvil_gen.resolve.relative_paths import move_to, moved_keys, moved_volume
from anvil_gen.resolve.uniqueness import is_address
from anvil_gen.values import KeyPath

DEFAULT = "default"
"""The network of a project that a service is on which names none."""


def networks_of(
    context: ResolveContext, options: ServerOptions | RouterOptions, table: KeyPath, *, sealed: bool
) -> Networks:
    """Return the networks of a service, in the form of Compose's own key; empty for the default one alone.

    A sealed tier is on the internal network whatever it names, and its router on that too.
    """
    is_router = isinstance(options, RouterOptions)
    wanted = options.networks
    if wanted is None:
        own = {DEFAULT: NetworkTable()} if is_router and sealed else {}
    else:
        own = dict(wanted) if isinstance(wanted, Mapping) else {name: NetworkTable() for name in wanted}
        _check_addresses(context, own, options.origin("networks").path or table)
        _check_names(context, own, options.origin("networks").path or table, sealed=sealed and not is_router)
    if sealed:
        own = {**own, INTERNAL: NetworkTable()} if is_router else {INTERNAL: NetworkTable(), **own}
    if all(network == NetworkTable() for network in own.values()):
        return tuple(own)
    return {name: compose_form(set_fields(network)) or None for name, network in own.items()}


def _check_addresses(context: ResolveContext, networks: Mapping[str, NetworkTable], path: KeyPath) -> None:
    """Report fixed addresses that are none: Compose passes them on, and Docker refuses to start the container."""
    for name, network in networks.items():
        for key, value in set_fields(network).items():
            for at, one in enumerate(value if isinstance(value, list) else [value]):
                here = (*path, name, key, *([at] if isinstance(value, list) else []))
                if key in _ADDRESSES and (one == ALL_ADDRESSES or not is_address(one)):
                    remedy = "write an IPv6 address" if "6" in key else "write an IP address, like 10.77.0.20"
                    context.collector.add("not-an-ip-address", here, f'"{one}"', remedy)


_ADDRESSES = ("ipv4_address", "ipv6_address", "link_local_ips")


def _check_names(context: ResolveContext, names: Iterable[str], path: KeyPath, *, sealed: bool) -> None:
    """Report networks that there are not, and those that would be a sealed tier's way out."""
    known = context.inventory.networks
    written = context.collector.value_at(path)
    for index, name in enumerate(names):
        here = (*path, index if isinstance(written, list) else name)
        if sealed and name != INTERNAL and known.get(name, {}).get(INTERNAL) is not True:
            detail = f'"{name}" is not internal, and would be a way out'
            remedy = 'name networks with internal = true in [networks], or set egress = "allow" in [host]'
            context.collector.add("not-with-egress-denied", here, detail, remedy)
        elif name not in {*known, DEFAULT, *([INTERNAL] if context.sealed else [])}:
            detail = f'"{name}" is not in [networks] (defined: {join_words(known) or "none"})'
            remedy = did_you_mean(name, known) or f"add a table [networks.{name}]"
            context.collector.add("unknown-network", here, detail, remedy)
            context.collector.drop(here)


def declared(
    context: ResolveContext, mounts: Iterable[Mount], networks: Iterable[str], *, folder: str = ""
) -> Declared:
    """Return what a file in a folder of the tree has to declare for its services to mount and to be on these."""
    known, move = context.inventory, move_to(context, folder)
    volumes: dict[str, Any] = {}
    for mount in mounts:
        if mount.volume and mount.source in known.volumes:
            volumes[mount.source] = compose_form(moved_volume(known.volumes[mount.source], move))
        elif mount.volume:
            # Whoever mounts the cache, it is the same volume.
            is_cache = mount.external or mount.source == known.hfcache.volume
            volumes[mount.source] = {"external": True} if is_cache else {}
    return Declared(
        volumes=volumes,
        networks={name: compose_form(known.networks[name]) for name in networks if name in known.networks},
    )


def declared_by(context: ResolveContext, keys: Mapping[str, Any], *, folder: str, whole: bool = False) -> Declared:
    """Return what a service in Compose's own keys needs; if they are the ``whole`` service, the default network too."""
    names = tuple(_names(keys.get("networks")))
    if whole and not names and "network_mode" not in keys:
        names = (DEFAULT,)
    found = declared(context, named_volumes(keys.get("volumes")), names, folder=folder)
    files = {section: declared_files(context, keys, section, folder) for section in ("secrets", "configs")}
    return replace(found, **files)


def declared_files(context: ResolveContext, keys: Mapping[str, Any], section: str, folder: str) -> dict[str, Any]:
    """Return the secrets or configs that a file in a folder of the tree has to declare for a service."""
    known, move = getattr(context.inventory, section), move_to(context, folder)
    names = dict.fromkeys(named_files(keys, section))
    return {name: compose_form(moved_keys(known[name], move)) for name in names if name in known}


def _names(networks: Any) -> Iterator[str]:
    """Yield the names under Compose's own key, in either of its forms."""
    if isinstance(networks, Mapping | list | tuple):
        yield from (str(name) for name in networks if isinstance(name, str))


def check_shared(modes: Iterable[Mode], collector: Collector) -> None:
    """Report tiers that are on no network on which their router is."""
    for mode in modes:
        router = mode.router
        for tier in router.tiers if router is not None else ():
            if (
                router is None
                or tier.address != tier.service.name
                or _without_names((router, tier.service), tier, collector)
            ):
                continue
            here, there = _joined(router), _joined(tier.service)
            if here & there:
                continue
            path = tier.options.path_of("networks") or router.options.path_of("networks") or tier.table
            detail = f'the router is on {join_words(sorted(here))}, and "{tier.name}" on {join_words(sorted(there))}'
            remedy = "name a network that both are on"
            collector.add("network-not-shared-with-the-router", path, detail, remedy)


def _without_names(services: Iterable[Service | Router], tier: Tier, collector: Collector) -> bool:
    """Tell whether one of a router and its tier is on no network of the project; report where none has a name there."""
    modes = [mode for one in services if (mode := one.override.get("network_mode")) not in (None, REMOVED)]
    own = tier.service.override.get("network_mode")
    for mode in modes:
        if (
            mode in ("host", "none", "bridge") and mode == own and len(modes) == 1 and not tier.service.sealed
        ):  # of which that is reported
            detail = f'the router reaches "{tier.name}" by its name, and with network_mode {mode} it has none'
            remedy = "remove network_mode, and publish the port: bind"
            table = tier.options.path_of("override") or ("tiers", tier.name)
            path = (*table, "network_mode")
            collector.add("network-not-shared-with-the-router", path, detail, remedy)
    return bool(modes)


def by_network(networks: Networks) -> dict[str, Any]:
    """Return what a service says of each of its networks."""
    return dict(networks) if isinstance(networks, Mapping) else dict.fromkeys(networks)


def _joined(service: Service | Router) -> set[str]:
    own = service.override.get("networks")
    return {*(() if own is REMOVED else service.networks), *_names(own)} or {DEFAULT}


def check_used(stack: Stack, inventory: Inventory, collector: Collector) -> None:
    """Warn of volumes and networks that no file declares, since nothing is mounted from them or on them."""
    found = [tier.service.declared for tier in stack.tiers] + [tier.service.override_declared for tier in stack.tiers]
    found += [extra.declared for extra in stack.services]
    found += [stack.experiment.service.declared] if stack.experiment is not None else []
    found += [stack.router.declared, stack.router.override_declared] if stack.router is not None else []
    for section in DECLARED:
        names = getattr(inventory, section)
        used = {name for one in found for name in getattr(one, section)}
        for name in names:
            if name not in used and name != DEFAULT:
                detail, remedy = "no service names it, so no file declares it", "name it, or remove it"
                collector.add("declared-but-not-used", (section, name), detail, remedy, key=True, severity="warning")
