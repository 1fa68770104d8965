"""Another host whose Prometheus this one asks for its metrics."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.monitoring_model import FederatedHost
from anvil_gen.resolve.options import ALL_ADDRESSES

_LOOPBACK = ("127.", "::1")


def federated_host(inventory: Inventory, name: str, catalog: Catalog) -> tuple[FederatedHost | None, str, str]:
    """Return where a host's Prometheus is; without that, why not, and the fix."""
    table, address = inventory.monitoring, inventory.host.address
    if table is UNSET or table.existing is True:
        return None, f"{name} has no Prometheus of its own", f"add [monitoring] to {name}"
    defaults = catalog.defaults["monitoring"]
    bind: Any = defaults["bind"] if table.bind is UNSET else table.bind
    port: Any = defaults["port"] if table.port is UNSET else table.port
    if bind is False or (bind != ALL_ADDRESSES and str(bind).startswith(_LOOPBACK)):
        where = "publishes no port" if bind is False else f'is bound to "{bind}"'
        detail = f"the Prometheus of {name} {where}: no other host reaches it"
        return None, detail, f'set bind = "0.0.0.0" in [monitoring] of {name}, in a network that you trust'
    if address is UNSET:
        return None, f"{name} does not say how others reach it", f"set address in [host] of {name}"
    return FederatedHost(name=name, address=f"{address}:{port}"), "", ""
