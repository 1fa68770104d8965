"""The numbers of what runs on this machine: requests of each tier, memory that is used of each GPU."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from anvil_gen.catalog.metrics import Metrics
from anvil_gen.machine.containers import Container
from anvil_gen.machine.engine_metrics import Requests, requests_of
from anvil_gen.machine.gpus import used_mib
from anvil_gen.machine.models_api import Address
from anvil_gen.operate.deployment import Deployment, tier_of
from anvil_gen.operate.reach import reachable


class LiveNumbers(Struct, frozen=True, kw_only=True):
    """Requests by service, and used memory in MiB by a GPU's id; without an entry, that is not known."""

    requests: Mapping[str, Requests] = {}
    gpu_memory: Mapping[str, int] = {}


def live_numbers(deployment: Deployment, by_service: Mapping[str, Container]) -> LiveNumbers:
    """Ask engines and the vendors' programs, at the same time."""
    vendors = dict.fromkeys(gpu.vendor for gpu in deployment.stack.gpus)
    known = [data for vendor in vendors if (data := deployment.host.catalog.vendor(vendor)) is not None]
    with ThreadPoolExecutor() as pool:
        memory = [pool.submit(used_mib, data) for data in known if data.usage is not None]
        requests = requests_of(_endpoints(deployment, by_service))
        used = {gpu: mib for one in memory for gpu, mib in one.result().items()}
    return LiveNumbers(requests=requests, gpu_memory=used)


def _endpoints(deployment: Deployment, by_service: Mapping[str, Container]) -> dict[str, tuple[Address, Metrics]]:
    endpoints = {}
    for service, one in by_service.items():
        tier = tier_of(deployment.stack, service)
        engine = deployment.host.catalog.engine(tier.engine) if tier is not None else None
        address = reachable(one, tier.container_port) if tier is not None and one.running else None
        if engine is not None and engine.metrics is not None and address is not None:
            endpoints[service] = (address, engine.metrics)
    return endpoints
