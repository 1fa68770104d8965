"""What rendering adds by default and an import has switched off: each an offer, which `--adopt` takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.importing.compare import Difference
from anvil_gen.importing.service_gpus import GpuNames

TITLES: Mapping[str, str] = {
    "healthcheck": "a health check",
    "logging": "log rotation",
    "restart": "a restart after a crash or a boot",
    "init": "an init process that reaps and forwards signals",
    "stop_grace_period": "the time to end requests before a stop",
    "gpus": "GPUs by UUID",
    "router": "a router in front of the tiers",
}
"""Offer -> what it is. All but the last two are keys of a tier, of which removing `false` is enough."""
_SWITCHED_OFF = [key for key in TITLES if key not in ("gpus", "router")]


class Offer(Struct, frozen=True, kw_only=True):
    """What would be added, and to which tiers."""

    key: str
    tiers: tuple[str, ...]


def offers(catalog: Catalog, data: Mapping[str, Any], known_gpus: Mapping[int, str]) -> Iterator[Offer]:
    """Yield what an inventory has switched off."""
    tiers = {name: {**data.get("defaults", {}), **tier} for name, tier in data["tiers"].items()}
    for key in _SWITCHED_OFF:
        found = [name for name, tier in tiers.items() if _is_off(catalog, tier, key)]
        if found:
            yield Offer(key=key, tiers=tuple(found))
    counted = [name for name, tier in tiers.items() if _counted(tier, known_gpus)]
    if counted:
        yield Offer(key="gpus", tiers=tuple(counted))
    served = [name for name, tier in tiers.items() if _is_served(catalog, tier)]
    if served:
        yield Offer(key="router", tiers=tuple(served))


def _is_off(catalog: Catalog, tier: Mapping[str, Any], key: str) -> bool:
    engine = catalog.engine(tier["engine"])
    is_there = key in (tier.get("override") or {}) or (key == "healthcheck" and engine and engine.own_command)
    return tier.get(key) is False and not is_there


def _counted(tier: Mapping[str, Any], known_gpus: Mapping[int, str]) -> bool:
    gpus = tier.get("gpus")
    return bool(known_gpus) and (gpus == "all" or (isinstance(gpus, int) and gpus <= len(known_gpus)))


def _is_served(catalog: Catalog, tier: Mapping[str, Any]) -> bool:
    engine = catalog.engine(tier["engine"])
    return engine is not None and not engine.own_command


def adopt(tier: dict[str, Any], adopted: Collection[str], gpus: GpuNames) -> None:
    """Give a tier the defaults that are adopted."""
    for key in _SWITCHED_OFF:
        if key in adopted and tier.get(key) is False and key not in tier.get("override", {}):
            del tier[key]
    if "gpus" in adopted and _counted(tier, gpus.known):
        # Docker takes the first ones for a number.
        indexes = sorted(gpus.known)[: len(gpus.known) if tier["gpus"] == "all" else tier["gpus"]]
        tier["gpus"] = [gpus.name_of(str(index), "gpu") for index in indexes]


def router_table(tiers: Mapping[str, dict[str, Any]], services: Mapping[str, Any], usual_port: int) -> dict[str, Any]:
    """Return the table of a router in front of tiers, on a port that none of them has."""
    taken = " ".join(str(one.get(key)) for one in (*tiers.values(), *services.values()) for key in ("port", "ports"))
    port = next(port for port in range(usual_port, 65536) if str(port) not in taken)
    return {} if port == usual_port else {"port": port}


def is_adopted(difference: Difference, taken: Collection[Offer], service_of: Mapping[str, str]) -> bool:
    """Tell whether a difference that came with what was adopted is one of a service which took some of it.

    An offer may change more than its own key: with the time to end requests, an engine is told how much of it it has.
    """
    path = difference.path
    if path[0] != "services":
        return False
    if path[1] not in service_of.values():
        return any(offer.key == "router" for offer in taken)
    return any(path[1] in {service_of[name] for name in one.tiers} for one in taken)
