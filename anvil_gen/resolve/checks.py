"""Errors that only show between the parts: names and ports taken twice, GPUs shared beyond what they have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from msgspec import UNSET

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.fields import NAME_LENGTH, PROJECT_PATTERN
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.compose_keys import starts_nothing
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.model import Mode, Stack, Tier
from anvil_gen.resolve.networks import check_shared, check_used
from anvil_gen.resolve.own_references import check_own_references
from anvil_gen.resolve.uniqueness import (
    COMMON_BINDS,
    check_uniqueness,
    is_address,
    option_location,
    owners,
)
from anvil_gen.text.interpolation import as_variable, looks_interpolated
from anvil_gen.values import Number, VariableValue

# Of a sum of shares: what rounding in decimal fractions may add.
_ROUNDING = 1e-9


def check_stack(stack: Stack, inventory: Inventory, collector: Collector, *, proves_names: bool = False) -> None:
    """Report what is wrong between the parts of a resolved stack, whose router may prove its tiers' names."""
    _host_name(stack, collector)
    _reserves(inventory, collector)
    check_uniqueness(stack, collector, proves_names=proves_names)
    _binds(stack, collector)
    _key_beyond_loopback(stack, collector)
    _tiers_beyond_loopback(stack, collector)
    _own_ipc(stack, collector)
    _images(stack, collector)
    for mode in stack.modes:
        for tiers in mode.together:
            _shares(mode, tiers, collector)
    _projects(stack, collector)
    check_own_references(stack, collector)
    check_shared(stack.modes, collector)
    check_used(stack, inventory, collector)


def _host_name(stack: Stack, collector: Collector) -> None:
    fits = re.search(PROJECT_PATTERN, stack.host) is not None and len(stack.host) <= NAME_LENGTH
    if not fits and not collector.is_dropped(("host", "name")):
        name = re.sub("[^a-z0-9_-]+", "-", stack.host.lower()).strip("-_")[:NAME_LENGTH] or "my-box"
        detail = f'"{stack.host}" is the file\'s name; Compose takes {NAME_LENGTH} of lower-case letters, digits, -, _'
        collector.add("name-that-compose-refuses", ("host",), detail, f'set name = "{name}" in [host]', key=True)


def _reserves(inventory: Inventory, collector: Collector) -> None:
    for name, table in inventory.gpus.items():
        memory, reserve = table.memory_mib, table.reserve_mib
        if memory is not UNSET and reserve is not UNSET and reserve >= memory:
            detail = f"{reserve} leaves nothing of the GPU's {memory} MiB"
            collector.add("number-out-of-range", ("gpus", name, "reserve_mib"), detail, f"write less than {memory}")


def _binds(stack: Stack, collector: Collector) -> None:
    for _, table, options in owners(stack):
        bind = options.bind
        if bind is not False and not is_address(bind):
            path, key = option_location(options, "bind", table)
            remedy = 'write "127.0.0.1", "0.0.0.0", "all", an address of the host, or false'
            collector.add("not-an-ip-address", path, f'"{bind}"', remedy, key=key)


def _is_loopback(text: str) -> bool:
    if text in COMMON_BINDS:
        return text == "127.0.0.1"
    from ipaddress import ip_address  # noqa: PLC0415

    return ip_address(text).is_loopback


def _key_beyond_loopback(stack: Stack, collector: Collector) -> None:
    router = stack.router
    keys = ("api_key_env", "api_key_sha256")
    if router is None or router.clients or any(collector.is_dropped(("router", name)) for name in keys):
        return
    bind = router.options.bind
    if bind is not False and is_address(bind) and not _is_loopback(bind):
        collector.add(
            "router-without-a-key-beyond-loopback",
            ("router", "bind"),
            f'on "{bind}" everybody who reaches the host can use its models',
            'set api_key_env = "ROUTER_TOKEN" (the name of a variable), or bind = "127.0.0.1"',
        )


def _tiers_beyond_loopback(stack: Stack, collector: Collector) -> None:
    for tier in stack.tiers:
        bind = tier.options.bind
        names = (*tier.options.flags, *tier.options.variables)
        if any(re.search(r"(?i)api[_-]key$", name) for name in names):
            continue
        is_link = tier.options.origin("bind").layer.startswith("[links.")  # a network for the group's hosts alone
        if not is_link and bind is not False and is_address(bind) and not _is_loopback(bind):
            path, key = option_location(tier.options, "bind", tier.table)
            detail = f'"{tier.name}" asks for no key: on "{bind}" everybody who reaches the host can use it'
            remedy = 'write bind = "127.0.0.1", and let clients come by the router'
            collector.add("tier-without-a-key-beyond-loopback", path, detail, remedy, key=key, severity="warning")


def _own_ipc(stack: Stack, collector: Collector) -> None:
    for tier in stack.tiers:
        if tier.options.ipc == f"service:{tier.options.service}":
            path, key = option_location(tier.options, "ipc", tier.table)
            detail = f'"{tier.options.service}" is this service itself'
            collector.add("not-for-this-service", path, detail, 'name another service, or write "host"', key=key)


def _images(stack: Stack, collector: Collector) -> None:
    for _, table, options in owners(stack):
        image = options.image
        if image is None:
            continue
        if looks_interpolated(image) and not isinstance(image, VariableValue):
            path, key = option_location(options, "image", table)
            detail, remedy = "every $ of a plain text is literal", as_variable(image)
            collector.add("text-that-looks-like-a-variable", path, detail, remedy, key=key)
            continue
        host, slash, rest = image.partition("@")[0].partition("/")
        # The registry and the tag may have capitals.
        name = rest if slash and re.search("[.:]", host) else host + slash + rest
        name = name.partition(":")[0]
        if name != name.lower():
            path, key = option_location(options, "image", table)
            collector.add(
                "name-that-docker-refuses", path, f'"{image}" has capitals', "write it in lower case", key=key
            )


def _shares(mode: Mode, tiers: Iterable[Tier], collector: Collector) -> None:
    holders: dict[str, list[tuple[Gpu, Tier]]] = {}
    for tier in (one for one in tiers if not starts_nothing(one.service.override)):
        for gpu in tier.gpus:
            holders.setdefault(gpu.name, []).append((gpu, tier))
    for name, held in holders.items():
        sharing = [tier for _, tier in held]
        whole = _whole(held[0][0])
        if len(sharing) > 1:
            _without_share(name, sharing, mode, collector)
        shares = [tier.share for tier in sharing if tier.share is not None]
        if len(shares) == len(sharing) and sum(shares) > whole + _ROUNDING:
            _too_much(name, sharing, whole, mode, collector)


def _in_mode(mode: Mode) -> str:
    return f' in the mode "{mode.name}"' if mode.name else ""


def _without_share(name: str, tiers: list[Tier], mode: Mode, collector: Collector) -> None:
    for tier in tiers:
        if tier.share is None and not _has_written(tier, collector):
            others = ", ".join(f'"{other.name}"' for other in tiers if other is not tier)
            detail = f'it shares "{name}" with {others}{_in_mode(mode)}, and does not say how much of it it takes'
            remedy = "set gpu_memory_utilization (or gpu_memory) in each of them"
            collector.add("gpu-shared-without-shares", tier.table, detail, remedy, key=True)


def _has_written(tier: Tier, collector: Collector) -> bool:
    """Return whether the inventory does state a share; that it came to nothing has been reported already."""
    written: dict[str, Any] = collector.document.data["tiers"][tier.group]
    return "gpu_memory_utilization" in written or "gpu_memory" in written


def _too_much(name: str, tiers: list[Tier], whole: float, mode: Mode, collector: Collector) -> None:
    total = sum(Number(str(tier.share)) for tier in tiers if tier.share is not None)
    listed = " + ".join(f"{tier.name} {tier.share}" for tier in tiers)
    detail = f'on "{name}"{_in_mode(mode)}: {listed} = {total:.4g}, and {whole:.4g} is available'
    last = tiers[-1]
    option = "gpu_memory" if last.options.gpu_memory is not None else "gpu_memory_utilization"
    path, key = option_location(last.options, option, last.table)
    collector.add("shares-above-the-whole-gpu", path, detail, "lower them, or move a tier to another GPU", key=key)


def _whole(gpu: Gpu) -> float:
    """Return the share of a GPU that tiers may take together; all of it where the reserve is invalid."""
    if gpu.memory_mib is None or gpu.reserve_mib >= gpu.memory_mib:
        return 1.0
    return 1.0 - gpu.reserve_mib / gpu.memory_mib


def _projects(stack: Stack, collector: Collector) -> None:
    if stack.experiment is not None and stack.experiment.project == stack.project:
        path, key = option_location(stack.experiment.options, "project", ("experiment",))
        detail = f'"{stack.project}" is the project of the tiers: `down` on one would stop the other'
        collector.add("project-taken-twice", path, detail, 'set another "project" in [experiment]', key=key)
