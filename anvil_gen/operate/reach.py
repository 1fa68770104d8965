"""Where a container can be reached from this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anvil_gen.machine.containers import Container

if TYPE_CHECKING:
    from anvil_gen.machine.models_api import Address


def reachable(one: Container, port: int) -> Address | None:
    """Return where a container's port can be reached: where it is published, else at the container's own address."""
    for host, number in one.published:
        return ("127.0.0.1" if host in ("", "0.0.0.0") else host.strip("[]"), number)  # noqa: S104
    networks = (one.raw.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = [network["IPAddress"] for network in networks.values() if network.get("IPAddress")]
    return (addresses[0], port) if addresses and port else None
