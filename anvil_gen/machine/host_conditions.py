"""Whether a known condition of Docker's host holds, by what Docker and the host's files say."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from anvil_gen.catalog.docker_conditions import Condition
from anvil_gen.machine.docker_info import DockerInfo


def holds(condition: Condition, docker: DockerInfo, vendors: Collection[str], has: Callable[[str], bool]) -> bool:
    """Tell whether all that a condition names holds; ``vendors`` are those of the GPUs, ``has`` knows paths."""
    info = docker.info
    options = {part for text in info.get("SecurityOptions") or () for part in str(text).split(",")}
    devices = [str(device.get("ID", "")) for device in info.get("DiscoveredDevices") or ()]
    wanted = (
        (condition.security_option, f"name={condition.security_option}" in options),
        (condition.engine, condition.engine in docker.components),
        (condition.kernel, re.search(condition.kernel, docker.kernel) is not None),
        (condition.cgroup_driver, condition.cgroup_driver == info.get("CgroupDriver")),
        (condition.cdi, any(device.startswith(f"{condition.cdi}=") for device in devices)),
        (condition.no_runtime, condition.no_runtime not in (info.get("Runtimes") or {})),
        (condition.present, docker.local and has(condition.present)),
        (condition.missing, docker.local and not has(condition.missing)),
        (condition.gpus, _is_among(vendors, condition.gpus)),
    )
    return all(found for asked, found in wanted if asked)


def _is_among(vendors: Collection[str], wanted: str) -> bool:
    return not vendors if wanted == "none" else bool(vendors) if wanted == "any" else wanted in vendors
