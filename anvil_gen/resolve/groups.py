"""The groups that a host has a part in: who else is in them, and whether all can be of one mind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.diagnostics import DiagnosticError, join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.decode import CODES
from anvil_gen.inventory.env_references import reference
from anvil_gen.inventory.fleet import GROUPS
from anvil_gen.inventory.group_files import GroupFile, HostDocument, unread_hosts
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.inventory.schema import Inventory
from anvil_gen.inventory.schema_group import LinkTable
from anvil_gen.resolve.group_model import Link, Member, Rank
from anvil_gen.resolve.options import HostOptions
from anvil_gen.resolve.uniqueness import is_address
from anvil_gen.values import KeyPath, Number


class OtherHost(Struct, frozen=True, kw_only=True):
    """What is read of a host of the fleet."""

    inventory: Inventory
    options: HostOptions
    lock: Lock


ReadHost = Callable[[str], OtherHost]
"""Reads a host of the fleet, or the host itself, by its file's name; raises `DiagnosticError` where it has errors."""

_HEAD_ONLY = ("port", "container_port", "ports", "bind", "healthcheck", "start_period")
_FREE = ("environment", "pass")
"""Tables of a tier in which a host's own variables are meant."""


def ranks_of(collector: Collector, known: list[str], read: ReadHost) -> dict[str, Rank]:
    """Return a host's part in each group, by the name of the tier; what is wrong is reported, and its tier left out.

    Args:
        collector: has the inventory, with the tiers of groups in it.
        known: the hosts of the fleet.
        read: reads one of them.
    """
    document = collector.document
    if not isinstance(document, HostDocument):
        return {}
    found: dict[str, Rank] = {}
    for group in document.groups.values():
        before = len(collector.diagnostics)
        _check_own_keys(collector, group, known)
        own = document.parts.get(group.tier)
        if own is not None and own is not group and document.host in group.hosts:
            detail = f'"{group.tier}" is the tier of the group {own.name} too'
            collector.add("tier-name-taken-twice", (GROUPS, group.name, "tiers", group.tier), detail, _RENAME, key=True)
        elif own is group:
            rank = _rank(collector, group, document, read)
            if rank is not None and len(collector.diagnostics) == before:
                found[group.tier] = rank
            else:
                collector.drop(("tiers", group.tier))
    return found


def without_parts(inventory: Inventory, collector: Collector, ranks: Mapping[str, Rank]) -> Inventory:
    """Return an inventory without the tiers of groups that have errors, from which others only follow."""
    document = collector.document
    lost = document.parts.keys() - ranks.keys() if isinstance(document, HostDocument) else ()
    if not lost:
        return inventory
    return replace(inventory, tiers={name: tier for name, tier in inventory.tiers.items() if name not in lost})


_RENAME = "rename one of the two"


def _check_own_keys(collector: Collector, group: GroupFile, known: list[str]) -> None:
    """Report what is wrong with a group's own keys, whichever host is read: nobody may miss it."""
    here: KeyPath = (GROUPS, group.name)
    for error in group.errors:
        collector.add(CODES[error.kind], (*here, *error.path), error.detail, error.remedy, key=error.at_key)
    wrong = {error.path[0] for error in group.errors if error.path}
    examples = {"schema": "schema = 1", "hosts": 'hosts = ["a", "b"]', "link": 'link = "roce"'}
    for key, example in examples.items():
        if getattr(group.fields, key) is UNSET and key not in wrong:
            collector.add("missing-key", here, f'"{key}" is not set', f"write {example}", key=True)
    if len(group.tiers) != 1:
        detail = f"it has {join_words(group.tiers)}" if group.tiers else "it has none"
        collector.add("missing-key" if not group.tiers else "not-for-groups", (*here, "tiers"), detail, _ONE_TIER)
    for index, name in enumerate(group.hosts):
        if name not in known:
            detail = f'"{name}" is no inventory of the fleet (there: {join_words(known)})'
            collector.add("unknown-host", (*here, "hosts", index), detail, "name one")
        elif name in group.hosts[:index]:
            detail = f'"{name}" is in this list already'
            collector.add("host-named-twice", (*here, "hosts", index), detail, "name each host once")
    for name in unread_hosts(group) if len(group.tiers) == 1 else ():
        detail, remedy = f'"{name}" is none of its hosts', f"name one: {join_words(group.hosts)}"
        collector.add("unknown-host", (*here, "tiers", group.tier, "gpus", name), detail, remedy, key=True)


_ONE_TIER = "write one table [tiers.NAME]"


def _rank(collector: Collector, group: GroupFile, document: HostDocument, read: ReadHost) -> Rank | None:
    """Return the host's part in a group; None, with diagnostics, where the group or another host has errors."""
    here: KeyPath = (GROUPS, group.name)
    if group.tier in document.taken:
        detail = f'"{group.tier}" is a tier of {document.display} too'
        collector.add("tier-name-taken-twice", (*here, "tiers", group.tier), detail, _RENAME, key=True)
    for path, what in _variables(group.table, (*here, "tiers", group.tier)):
        detail = f"{what} may be another one on each host"
        collector.add("variable-where-a-value-is-needed", path, detail, "write the value itself")
    gpus = list(_gpus(collector, group, here))
    members = [_member(collector, group, index, name, read) for index, name in enumerate(group.hosts)]
    if group.fields.link is UNSET or any(member is None for member in members):
        return None
    rank = Rank(
        group=group.name,
        number=group.hosts.index(document.host),
        members=tuple(member for member in members if member is not None),
        link_name=group.fields.link,
        link_port=None if group.fields.link_port is UNSET else group.fields.link_port,
        executor="" if group.fields.executor is UNSET else group.fields.executor,
        table=_text(group.table),
        head_only=_text({key: value for key, value in group.table.items() if key in _HEAD_ONLY}),
        gpus=tuple(gpus),
    )
    _check_links(collector, rank)
    _check_machines(collector, rank)
    return rank


def _text(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    """Return TOML data with numbers as they are written."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Number) else value


def _variables(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield where a group's tier leaves a value to each host's `.env`."""
    if isinstance(value, Mapping):
        if reference(value, typed=True) is not None:
            yield path, "a variable"
            return
        for key, item in value.items():
            if not (len(path) == 4 and key in _FREE):
                yield from _variables(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _variables(item, (*path, index))


def _gpus(collector: Collector, group: GroupFile, here: KeyPath) -> Iterator[Any]:
    """Yield the GPUs of each rank, as a tier of that host has them."""
    written = group.table.get("gpus", []) if isinstance(group.table, Mapping) else []
    place = (*here, "tiers", group.tier, "gpus")
    for name in group.hosts:
        own = written.get(name) if isinstance(written, Mapping) else written
        if own is None:
            collector.add("missing-key", place, f'it has none of "{name}"', f'write {name} = ["…"]', key=True)
        yield tuple(own) if isinstance(own, list) else own
    counts = {name: written[name] for name in group.hosts if isinstance(written, Mapping) and name in written}
    sizes = {len(one) if isinstance(one, list) else one for one in counts.values()}
    if len(sizes) > 1:
        listed = ", ".join(f"{name} {len(one) if isinstance(one, list) else one}" for name, one in counts.items())
        detail, remedy = f"each host takes as many of them as the others: {listed}", "name the same number for each"
        collector.add("hosts-of-a-group-differ", place, detail, remedy)


def _member(collector: Collector, group: GroupFile, index: int, name: str, read: ReadHost) -> Member | None:
    here: KeyPath = (GROUPS, group.name, "hosts", index)
    try:
        host = read(name)
    except KeyError:  # it has been reported
        return None
    except DiagnosticError as error:
        detail = f"the inventory of {name} has errors, the first: {next(iter(error.diagnostics)).summary}"
        collector.add("host-cannot-be-used", here, detail, f"see them:\n\n    anvil-gen render {name}")
        return None
    link = group.fields.link
    table = host.inventory.links.get(link) if isinstance(link, str) else None
    if table is None:
        if isinstance(link, str):
            detail = f"{name} has no [links.{link}]"
            collector.add("link-is-missing", here, detail, f"write it in {name}: address, interface")
        return None
    if table.address is UNSET or table.interface is UNSET:
        lacking = join_words(key for key in ("address", "interface") if getattr(table, key) is UNSET)
        collector.add("link-is-missing", here, f"[links.{link}] of {name} lacks {lacking}", f"write it in {name}")
        return None
    return Member(
        host=name,
        link=_link(table),
        options=host.options,
        inventory=host.inventory,
        lock=host.lock,
    )


def _link(table: LinkTable) -> Link:
    return Link(
        address=str(table.address),
        interface=str(table.interface),
        hcas=tuple(table.hcas) if table.hcas is not UNSET else (),
        gid_index=None if table.gid_index is UNSET else table.gid_index,
    )


def _is_of_one_host(address: str) -> bool:
    """Tell whether another host reaches one host alone by an address; fe80::/10 needs a zone, which Compose refuses."""
    from ipaddress import IPv6Address, ip_address  # noqa: PLC0415  only hosts of groups need it

    found = ip_address(address)
    is_local = found.is_loopback or (isinstance(found, IPv6Address) and found.is_link_local)
    return not (is_local or found.is_unspecified or found.is_multicast or found.is_reserved)


def _check_links(collector: Collector, rank: Rank) -> None:
    """Report ends of a link that cannot be those of one."""
    first, seen = rank.members[0], dict[str, str]()
    for index, member in enumerate(rank.members):
        here: KeyPath = (*rank.path, "hosts", index)
        address = member.link.address
        if not is_address(address) or not _is_of_one_host(address):
            detail = f'[links.{rank.link_name}] of {member.host} has "{address}"'
            collector.add("not-an-ip-address", here, detail, "write an address that the other hosts reach")
        other = seen.setdefault(address, member.host)
        if other != member.host:
            detail = f'{other} and {member.host} have "{address}" both'
            collector.add("hosts-of-a-group-differ", here, detail, "write in each its own address")
        for key, what in (("hcas", "RDMA adapters"), ("gid_index", "a gid_index")):
            has, had = (bool(getattr(one.link, key) not in ((), None)) for one in (member, first))
            if has != had:
                names = (member.host, first.host) if has else (first.host, member.host)
                detail = f"{names[0]} has {what}, and {names[1]} has none"
                remedy = f"write {key} in [links.{rank.link_name}] of all hosts, or of none"
                collector.add("hosts-of-a-group-differ", here, detail, remedy)
        if (":" in address) != (":" in first.link.address):
            detail = f"{first.host} has {first.link.address}, and {member.host} {address}"
            collector.add("hosts-of-a-group-differ", here, detail, "take IPv4 on all hosts, or IPv6")


def _check_machines(collector: Collector, rank: Rank) -> None:
    """Report two hosts that would be one machine: an inventory that was copied."""
    seen = dict[tuple[str, str], str]()
    for index, member in enumerate(rank.members):
        uuids = [("uuid", str(gpu.uuid)) for gpu in member.inventory.gpus.values() if gpu.uuid is not UNSET]
        context = member.options.docker_context
        for key, value in [*uuids, *([("docker_context", context)] if context is not None else [])]:
            other = seen.setdefault((key, value.casefold()), member.host)
            if other != member.host:
                detail = f'{other} and {member.host} have the {key} "{value}" both, and would be one machine'
                remedy = f"write in each its own {key}"
                collector.add("hosts-of-a-group-differ", (*rank.path, "hosts", index), detail, remedy)
