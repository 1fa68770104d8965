"""Checks of what Docker says of its host: what keeps services from running there, each with its command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.catalog.docker_conditions import Condition, docker_conditions
from anvil_gen.machine.docker_config import docker_config_file
from anvil_gen.machine.host_conditions import holds
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext


def check_host(context: DoctorContext) -> Iterator[Check]:
    """Report each known condition that holds on the host."""
    if not context.docker_info.is_available:
        return
    for condition in docker_conditions(context.catalog):
        if _holds(context, condition) and not _is_mended(context, condition):
            remedy = condition.remedy.strip().replace("{inventory}", context.inventory)
            yield failed("host", condition.code, condition.detail, remedy, severity=condition.severity)


def _holds(context: DoctorContext, condition: Condition) -> bool:
    requests = (one.tier.gpu_request for one in context.requirements if one.tier is not None)
    vendors = {request.vendor for request in requests if request is not None}
    return holds(condition, context.docker_info, vendors, lambda path: _has(context, path))


def _has(context: DoctorContext, path: str) -> bool:
    return (context.root / path.lstrip("/")).exists()


def _is_mended(context: DoctorContext, condition: Condition) -> bool:
    options = context.deployment.host.options
    if condition.unless and all(options.get(name) == value for name, value in condition.unless.items()):
        return True
    if not condition.unless_file:
        return False
    try:
        text = (context.root / condition.unless_file.lstrip("/")).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(condition.unless_pattern, text) is not None


def check_proxies(context: DoctorContext) -> Iterator[Check]:
    """Warn of a proxy that Docker gives to every container, by which further services would ask the others."""
    others = [extra.name for extra in context.deployment.stack.services]
    proxies = _client_config().get("proxies") or {}
    found = proxies.get(context.docker_info.endpoint) or proxies.get("default") or {}
    if not others or not (found.get("httpProxy") or found.get("httpsProxy")):
        return
    direct = {name.strip() for name in str(found.get("noProxy") or "").split(",")}
    missing = sorted({one.service for one in context.requirements} - direct)
    if missing and "*" not in direct:
        detail = (
            f"Docker gives every container a proxy, and {', '.join(others)} would ask by it for {', '.join(missing)}"
        )
        remedy = with_commands(f'add to "noProxy" of "proxies" in {docker_config_file()}', ",".join(missing))
        yield failed("proxies", "proxy-between-services", detail, remedy, severity="warning")


def _client_config() -> Mapping[str, Any]:
    """Return the configuration of Docker's client; empty where there is none that can be read."""
    try:
        found = json.loads(docker_config_file().read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
