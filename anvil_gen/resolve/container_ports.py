"""Tiers that listen on one port in their containers: who asks for one by an old address gets the other's answer.

Docker gives a container that starts again the next free address, which may be the one of a tier that has stopped in the
meantime, and a router holds what a name meant for a while. With ports of their own, the wrong tier does not answer.
"""

from __future__ import annotations

from anvil_gen.inventory.collector import Collector
from anvil_gen.resolve.model import Mode, Tier
from anvil_gen.values import KeyPath


def check_container_ports(
    mode: Mode, reported: set[KeyPath], used: set[int], collector: Collector, *, proven: bool
) -> None:
    """Report tiers of a mode with one port in their containers, unless both say so and nothing can mistake them.

    Args:
        mode: the mode.
        reported: tables whose port is an error already.
        used: ports that no remedy may name.
        collector: takes the errors.
        proven: the router makes sure that a tier is the one that it asks.
    """
    seen: dict[int, Tier] = {}
    for tier in (tier for tier in mode.tiers if tier.answers):
        number, table = tier.container_port, tier.table
        other = seen.setdefault(number, tier)
        if other.group == tier.group or not number or table in reported or collector.is_dropped((*table, "port")):
            continue
        both = all(one.options.path_of("container_port") is not None for one in (tier, other))
        if both and (mode.router is None or proven):
            continue
        option = "container_port" if tier.options.path_of("container_port") else "port"
        path = tier.options.path_of(option)
        detail = f'{number} is the port of tier "{other.name}" in its container too'
        if mode.router is not None:
            detail += ": after restarts, the router could take the one for the other"
        remedy = free_port(number, used) if option == "port" else "write another container_port"
        if mode.router is None:
            remedy += ", or container_port in both"
        collector.add("port-taken-twice", path or table, detail, remedy, key=path is None)


def free_port(number: int, used: set[int]) -> str:
    """Return a remedy: the next port that nothing uses, which is used from then on."""
    free = next(port for port in range(number, 2 * 65536) if port not in used)
    used.add(free)
    return f"write port = {free}" if free <= 65535 else "write a lower port that is free"
