"""Checks of the links of groups: what the host has of one, and whether the other hosts answer on it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anvil_gen.operate.doctor.check import Check, failed
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.resolve.group_model import Link, Rank

_HEADERS = {False: 28, True: 48}
"""Bytes of a packet beside what `ping` sends, without and with IPv6."""
_CODE = "link-does-not-work"


def check_links(context: DoctorContext) -> Iterator[Check]:
    """Compare the link of each group with the host's interfaces and adapters, and ask the other hosts on it."""
    ranks = context.deployment.host.ranks
    tiers = {required.tier.group for required in context.requirements if required.tier is not None}
    for rank in (rank for name, rank in ranks.items() if name in tiers and context.docker_info.local):
        own, before = rank.own.link, 0
        for problem in _own_end(context, own):
            before += 1
            yield _failed(context, rank, *problem)
        if not before:
            adapters = f", {' and '.join(own.hcas)}" if own.hcas else ""
            yield Check(what=f"link {rank.link_name}", found=f"{own.address} on {own.interface}{adapters}")
            yield from _other_ends(context, rank)


def _own_end(context: DoctorContext, link: Link) -> Iterator[tuple[str, str]]:
    """Yield what the host lacks of its end of a link, and what to do."""
    interfaces = _names(context, "sys/class/net")
    if link.interface not in interfaces:
        yield (
            f"there is no interface {link.interface} (there: {', '.join(interfaces)})",
            "write its name, as in: ip addr",
        )
        return
    if not _has_address(context, link):
        yield f"{link.interface} does not have {link.address}", f"ip addr add {link.address}/24 dev {link.interface}"
    adapters = _names(context, "sys/class/infiniband")
    for missing in (one for one in link.hcas if one not in adapters):
        yield f"there is no adapter {missing} (there: {', '.join(adapters) or 'none'})", "ls /sys/class/infiniband"


def _names(context: DoctorContext, folder: str) -> list[str]:
    found = context.root / folder
    return sorted(path.name for path in found.iterdir()) if found.is_dir() else []


def _has_address(context: DoctorContext, link: Link) -> bool:
    answer = context.run(["ip", "-o", "addr", "show", "dev", link.interface])
    # Without the program nothing is known, and nothing is said.
    return answer.code is None or re.search(rf"\s{re.escape(link.address)}(?:/|\s)", answer.stdout) is not None


def _other_ends(context: DoctorContext, rank: Rank) -> Iterator[Check]:
    """Yield whether each other host answers, to a packet as large as the interface sends too."""
    link = rank.own.link
    mtu = _mtu(context, link.interface)
    for member in rank.members:
        if member is rank.own:
            continue
        address, what = member.link.address, f"link {rank.link_name} to {member.host}"
        size = mtu - _HEADERS[":" in address]
        small, large = _ping(context, address), _ping(context, address, "-M", "do", "-s", str(size))
        if small is None or large is None:
            continue  # without `ping`
        if not small:
            detail = f"{member.host} does not answer at {address}"
            yield _failed(context, rank, detail, f"ping {address}, here; and on {member.host}: anvil-gen doctor")
        elif not large:
            detail = f"packets of {mtu} bytes, the MTU of {link.interface}, do not come through to {member.host}"
            yield _failed(context, rank, detail, f"ip link set {member.link.interface} mtu {mtu}, on {member.host}")
        else:
            yield Check(what=what, found=f"{address} answers, with {mtu} bytes")


def _mtu(context: DoctorContext, interface: str) -> int:
    try:
        return int((context.root / "sys/class/net" / interface / "mtu").read_text("utf-8"))
    except (OSError, ValueError):
        return 1500


def _ping(context: DoctorContext, address: str, *options: str) -> bool | None:
    """Tell whether an address answers; None where that cannot be asked."""
    answer = context.run(["ping", "-c", "1", "-W", "2", *options, address])
    return None if answer.code is None else answer.code == 0


def _failed(context: DoctorContext, rank: Rank, detail: str, remedy: str) -> Check:
    at = context.place("links", rank.link_name)
    return failed(f"link {rank.link_name}", _CODE, detail, remedy, at=at)
