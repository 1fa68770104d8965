"""What only one service can have: names, container names and published ports, also those in Compose's own keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.inventory.collector import Collector
from anvil_gen.resolve.compose_keys import published_ports, starts_nothing
from anvil_gen.resolve.container_ports import check_container_ports, free_port
from anvil_gen.resolve.model import Mode, Stack
from anvil_gen.resolve.options import ALL_ADDRESSES, RouterOptions, ServerOptions, ServiceOptions, TierOptions
from anvil_gen.resolve.override_merge import Added
from anvil_gen.values import KeyPath, VariableValue

_EVERY = {"0.0.0.0", "::", ALL_ADDRESSES}  # noqa: S104  compared, not bound
_NOTHING_ADDED = Added(())
COMMON_BINDS = ("127.0.0.1", "0.0.0.0", ALL_ADDRESSES)  # noqa: S104  compared, not bound


_Profiles = Mapping[KeyPath, set[str]]


class _Owner(Struct, frozen=True, kw_only=True):
    """What a service has for itself, and where that is written: with ``key``, at the key of ``path``."""

    owner: str
    value: Any
    path: KeyPath
    key: bool
    remedy: str
    table: KeyPath


def check_uniqueness(stack: Stack, collector: Collector, *, proves_names: bool = False) -> None:
    """Report names and ports that two services claim; those of containers and ports only where both of them run.

    ``proves_names``: the router makes sure that a tier is the one that it asks.
    """
    _unique(_services(stack, collector), "service-taken-twice", collector, {})
    idle = {table for table, keys in _own_keys(stack).items() if starts_nothing(keys)}
    containers = [one for one in _containers(stack, collector) if one.table not in idle]
    ports = [one for one in _ports(stack, collector) if one.table not in idle]
    profiles = _profiles(stack)
    in_modes = {table for mode in stack.modes for table in _tables(mode)}
    for mode in stack.modes:
        of_mode = _tables(mode)
        may_run = [one for one in containers if _runs(one, of_mode) or one.table not in in_modes]
        _unique(may_run, "container-name-taken-twice", collector, profiles)
    used = {owner.value[0] for owner in ports}
    for mode in stack.modes:
        of_mode = _tables(mode)
        reported = _unique_ports([owner for owner in ports if _runs(owner, of_mode)], used, collector, profiles)
        check_container_ports(mode, reported, used, collector, proven=proves_names)


def owners(stack: Stack) -> Iterator[tuple[str, KeyPath, ServiceOptions]]:
    """Yield what a message calls a tier, the router or the experiment, its table, and its options."""
    for tier in stack.tiers:
        yield f'tier "{tier.name}"', tier.table, tier.options
    if stack.router is not None:
        yield "the router", ("router",), stack.router.options
    if stack.experiment is not None:
        yield "the experiment", ("experiment",), stack.experiment.options


def option_location(options: ServiceOptions, name: str, table: KeyPath) -> tuple[KeyPath, bool]:
    """Return where an option was written; the table's own key where the value is a default."""
    path = options.origin(name).path
    return (path, False) if path is not None else (table, True)


def is_explicit(options: ServiceOptions, name: str, table: KeyPath, collector: Collector) -> bool:
    """Return whether an option's value is meant: no default in place of an invalid value, and no invalid name."""
    if options.origin(name).path is not None:
        return True
    return not collector.is_dropped((*table, name)) and not (
        collector.has_invalid_name(table) and options.get(name) == table[-1]
    )


def is_address(text: str) -> bool:
    """Return whether a text is an IP address as Compose takes it."""
    if text in COMMON_BINDS:
        return text != ALL_ADDRESSES or not isinstance(text, VariableValue)  # which is no word of Compose's
    from ipaddress import ip_address  # noqa: PLC0415  costs 2 ms, and hardly any inventory needs it

    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # Compose knows no zones


def _address(text: str) -> str:
    """Return one spelling of an address; what is none has been reported."""
    if text in COMMON_BINDS or not is_address(text):
        return text
    from ipaddress import ip_address  # noqa: PLC0415

    return str(ip_address(text))


def _written(mapping: Any, key: str) -> str | None:
    """Return a text among Compose's own keys; None where it is none, or holds a variable."""
    value = mapping.get(key)
    return value if isinstance(value, str) and "$" not in value else None


def _services(stack: Stack, collector: Collector) -> Iterator[_Owner]:
    for owner, table, options in owners(stack):
        if options.get("service") is not None and is_explicit(options, "service", table, collector):
            yield _owned(owner, table, options, "service")
    for extra in stack.services:
        here: KeyPath = extra.table
        remedy = "write another name: tiers and the router are services too"
        yield _Owner(owner=_owner(here), value=extra.name, path=here, key=True, remedy=remedy, table=here)


def _owned(owner: str, table: KeyPath, options: ServiceOptions, option: str) -> _Owner:
    path, key = option_location(options, option, table)
    remedy = f'set another "{option}" for {owner}'
    return _Owner(owner=owner, value=options.get(option), path=path, key=key, remedy=remedy, table=table)


def _containers(stack: Stack, collector: Collector) -> Iterator[_Owner]:
    own = _own_keys(stack)
    for owner, table, options in owners(stack):
        overridden = own.get(table, {})
        if options.container_name is False:
            continue
        if "container_name" not in overridden and is_explicit(options, "container_name", table, collector):
            yield _owned(owner, table, options, "container_name")
    if stack.router is not None and stack.router.reloads and stack.router.reload_container_name:
        router = _owned("what reloads the router", ("router",), stack.router.options, "container_name")
        yield replace(router, value=stack.router.reload_container_name)
    for table, mapping in own.items():
        name = _written(mapping, "container_name")
        if name is not None:
            path = (*_own_path(table), "container_name")
            yield _Owner(
                owner=_owner(table), value=name, path=path, key=False, remedy="write another name", table=table
            )


def _own_keys(stack: Stack) -> dict[KeyPath, Any]:
    """Return the tables in Compose's own keys, by the tables that have them."""
    found: dict[KeyPath, Any] = {tier.table: tier.service.override for tier in stack.tiers}
    if stack.router is not None:
        found["router",] = stack.router.override
    return {**found, **{extra.table: extra.mapping for extra in stack.services}}


def _profiles(stack: Stack) -> _Profiles:
    """Return the profiles of each table whose service starts only with one of them."""
    written = {table: mapping.get("profiles") for table, mapping in _own_keys(stack).items()}
    return {table: {str(one) for one in found} for table, found in written.items() if isinstance(found, list)}


def _exclude(profiles: _Profiles, one: KeyPath, other: KeyPath) -> bool:
    """Tell whether two services are of different profiles: who starts both at once, means to."""
    found, others = profiles.get(one), profiles.get(other)
    return bool(found and others and found.isdisjoint(others))


def _own_path(table: KeyPath) -> KeyPath:
    return table if table[0] in ("services", "monitoring") else (*table, "override")


def _owner(table: KeyPath) -> str:
    kinds = {"services": "service", "monitoring": "[monitoring]'s service", "tiers": "tier"}
    return f'{kinds[str(table[0])]} "{table[1]}"' if table[0] in kinds else "the router"


def _ports(stack: Stack, collector: Collector) -> Iterator[_Owner]:
    own = _own_keys(stack)
    for owner, table, options in owners(stack):
        if not isinstance(own.get(table, {}).get("ports", _NOTHING_ADDED), Added):
            continue
        is_published = options.port is not None and options.bind is not False
        if is_published and is_explicit(options, "port", table, collector):
            path, key = option_location(options, "port", table)
            value = (options.port, _address(str(options.bind)))
            count = options.replicas if isinstance(options, TierOptions) else 1
            remedy = f"write the first of {count} free ports in a row, for the replicas" if count > 1 else ""
            yield _Owner(owner=owner, value=value, path=path, key=key, remedy=remedy, table=table)
            yield from _metrics(owner, table, options)
        if isinstance(options, ServerOptions):
            yield from _in_compose_form(table, options.path_of("ports") or table, options.ports)
    for table, mapping in own.items():
        yield from _in_compose_form(table, (*_own_path(table), "ports"), mapping.get("ports"))
    for tier in stack.tiers:
        for value in tier.rank.taken_ports if tier.rank is not None else ():
            remedy = "write another link_port in the group" if value[0] != tier.options.port else "write another port"
            yield _Owner(
                owner=f'tier "{tier.name}"', value=value, path=tier.table, key=True, remedy=remedy, table=tier.table
            )


_MONITORED = "set port (of Prometheus) or grafana_port in [monitoring]"


def _in_compose_form(table: KeyPath, path: KeyPath, ports: Any) -> Iterator[_Owner]:
    if isinstance(ports, Added):
        ports, path = ports.items, (*path, "add")
    for index, bind, number in published_ports(ports):
        value, here = (number, _address(bind)), (*path, index)
        remedy = _MONITORED if table[0] == "monitoring" else "publish another port"
        yield _Owner(owner=_owner(table), value=value, path=here, key=False, remedy=remedy, table=table)


def _metrics(owner: str, table: KeyPath, options: ServiceOptions) -> Iterator[_Owner]:
    """Yield the further port on which a router publishes its metrics, to the host itself.

    That it is the router's own port is reported where the router is read: no container has both, whatever it publishes.
    """
    if isinstance(options, RouterOptions) and isinstance(options.metrics, int) and options.metrics != options.port:
        value, path, remedy = (options.metrics, "127.0.0.1"), (*table, "metrics"), "write another port"
        yield _Owner(owner=f"{owner}'s metrics", value=value, path=path, key=False, remedy=remedy, table=table)


def _tables(mode: Mode) -> set[KeyPath]:
    return {("tiers", tier.group) for tier in mode.tiers} | {service.table for service in mode.services}


def _runs(owner: _Owner, of_mode: Collection[KeyPath]) -> bool:
    return owner.table[0] not in ("tiers", "services") or owner.table in of_mode


def check_helpers(services: Mapping[KeyPath, Iterable[str]], collector: Collector) -> None:
    """Report services of one name that only the rendered files show: templates add some next to a tier's own."""
    seen: dict[str, KeyPath] = {}
    for table, names in services.items():
        for name in names:
            other = seen.setdefault(name, table)
            if other != table:
                detail = f'the file of {_owner(other)} has a service "{name}" too'
                collector.add("service-taken-twice", table, detail, "write another name", key=True)


def _unique(found: Iterable[_Owner], code: str, collector: Collector, profiles: _Profiles) -> None:
    seen: dict[str, list[_Owner]] = {}
    for owner in found:
        # Container names differ in case alone nowhere: some tools fold them.
        before = seen.setdefault(owner.value.casefold(), [])
        others = (one for one in before if one.owner != owner.owner and not _exclude(profiles, one.table, owner.table))
        other = next(others, None)
        before.append(owner)
        if other is not None:
            detail = f'"{owner.value}" is that of {other.owner}'
            collector.add(code, owner.path, detail, owner.remedy, key=owner.key)


def _collide(one: _Owner, other: _Owner) -> bool:
    """Tell whether two owners of one port number collide on the host."""
    at, bind = one.value[1], other.value[1]
    if one.table == other.table and (":" in at) != (":" in bind):
        return False  # one service on both families of addresses
    return addresses_collide(at, bind)


def addresses_collide(one: str, other: str) -> bool:
    """Tell whether two addresses of the host cannot both have a port of one number."""
    return one == other or bool(_EVERY & {one, other})


def _unique_ports(found: Iterable[_Owner], used: set[int], collector: Collector, profiles: _Profiles) -> set[KeyPath]:
    """Report ports that two services publish, and return the tables that cannot have theirs."""
    reported: set[KeyPath] = set()
    seen: dict[int, list[_Owner]] = {}
    for owner in found:
        number, _ = owner.value
        before = seen.setdefault(number, [])
        others = (one for one in before if _collide(one, owner) and not _exclude(profiles, one.table, owner.table))
        other = next(others, None)
        before.append(owner)
        if other is not None:
            reported.add(owner.table)
            remedy = owner.remedy or free_port(number, used)
            detail = f"{number} is published by {other.owner}"
            collector.add("port-taken-twice", owner.path, detail, remedy, key=owner.key)
    return reported
