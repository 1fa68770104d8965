"""Faults that only show between the parts: names and ports taken twice, cards shared beyond what they have."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from anvil_gen.inventory import Inventory
from anvil_gen.inventory_types import CONTAINER_PATTERN, NAME_LENGTH, PROJECT_PATTERN
from anvil_gen.model import Gpu, KeyPath, Mode, Number, Options, Stack, Tier
from anvil_gen.report import Report

_CONTAINER = re.compile(CONTAINER_PATTERN)
# Of a sum of shares: what rounding in decimal fractions may add.
_ROUNDING = 1e-9
_EVERY = {"0.0.0.0", "::"}  # noqa: S104  compared, not bound
_COMMON_BINDS = ("127.0.0.1", "0.0.0.0")  # noqa: S104  compared, not bound


def check_stack(stack: Stack, inventory: Inventory, report: Report) -> None:
    """Report what is wrong between the parts of a resolved stack."""
    _host_name(stack, report)
    _output(inventory, report)
    _unique_gpus(inventory, report)
    _reserves(inventory, report)
    _unique(stack, report, "service")
    _unique(stack, report, "container_name")
    _container_names(stack, report)
    _binds(stack, report)
    _key_beyond_loopback(stack, report)
    _tiers_beyond_loopback(stack, report)
    _own_ipc(stack, report)
    _images(stack, report)
    for mode in stack.modes:
        _unique_ports(stack, mode, report)
        _shares(mode, report)
    _projects(stack, report)


def _entries(stack: Stack) -> Iterator[tuple[str, KeyPath, Options]]:
    for tier in stack.tiers:
        yield f'tier "{tier.name}"', ("tiers", tier.name), tier.options
    if stack.router is not None:
        yield "the router", ("router",), stack.router.options
    if stack.experiment is not None:
        yield "the experiment", ("experiment",), stack.experiment.options


def _place(options: Options, name: str, table: KeyPath) -> tuple[KeyPath, bool]:
    """Return where an option was written; the table's own key where the value is a default."""
    path = options.origin(name).path
    return (path, False) if path is not None else (table, True)


def _stands(options: Options, name: str, table: KeyPath, report: Report) -> bool:
    """Tell whether an option's value is meant: a default is not, that stands in for a faulty value."""
    return options.origin(name).path is not None or not report.is_left_out((*table, name))


def _host_name(stack: Stack, report: Report) -> None:
    fits = re.search(PROJECT_PATTERN, stack.host) is not None and len(stack.host) <= NAME_LENGTH
    if not fits and not report.is_left_out(("host", "name")):
        name = re.sub("[^a-z0-9_-]+", "-", stack.host.lower()).strip("-_")[:NAME_LENGTH] or "my-box"
        detail = f'"{stack.host}" is the file\'s name; Compose takes {NAME_LENGTH} of lower-case letters, digits, -, _'
        report.add("name that Compose refuses", ("host",), detail, f'set name = "{name}" in [host]', key=True)


def _unique_gpus(inventory: Inventory, report: Report) -> None:
    seen: dict[str, str] = {}
    for name, table in inventory.gpus.items():
        if table.uuid is UNSET:
            continue
        other = seen.setdefault(table.uuid.lower(), name)
        if other != name:
            detail = f'"{other}" has it already'
            report.add("UUID taken twice", ("gpus", name, "uuid"), detail, "`nvidia-smi -L` prints each card's own")


def _reserves(inventory: Inventory, report: Report) -> None:
    for name, table in inventory.gpus.items():
        memory, reserve = table.memory_mib, table.reserve_mib
        if memory is not UNSET and reserve is not UNSET and reserve >= memory:
            detail = f"{reserve} leaves nothing of the card's {memory} MiB"
            report.add("number out of range", ("gpus", name, "reserve_mib"), detail, f"write less than {memory}")


def _unique(stack: Stack, report: Report, option: str) -> None:
    what = option.replace("_", " ")
    seen: dict[str, str] = {}
    for entry, table, options in _entries(stack):
        if option not in options or not _stands(options, option, table, report):
            continue
        # Container names differ in case alone nowhere: some tools fold them.
        other = seen.setdefault(options[option].casefold(), entry)
        if other != entry:
            path, key = _place(options, option, table)
            detail = f'"{options[option]}" is that of {other}'
            report.add(f"{what} taken twice", path, detail, f'set another "{option}" for {entry}', key=key)


def _unique_ports(stack: Stack, mode: Mode, report: Report) -> None:
    seen: list[tuple[int, str, str]] = []
    used = {options["port"] for _, _, options in _entries(stack)}
    running = {("tiers", tier.name) for tier in mode.tiers}
    for entry, table, options in _entries(stack):
        if table[0] == "tiers" and table not in running:
            continue
        if options["port"] is None or options["bind"] is False or not _stands(options, "port", table, report):
            continue
        number, bind = options["port"], _address(options["bind"])
        others = (other for port, at, other in seen if port == number and (at == bind or _EVERY & {at, bind}))
        other = next(others, None)
        seen.append((number, bind, entry))
        if other is not None:
            path, key = _place(options, "port", table)
            free = next(port for port in range(options["port"], 2 * 65536) if port not in used)
            used.add(free)
            detail = f"{options['port']} is published by {other}"
            remedy = f"write port = {free}" if free <= 65535 else "write a lower port that is free"
            report.add("port taken twice", path, detail, remedy, key=key)


def _container_names(stack: Stack, report: Report) -> None:
    for entry, table, options in _entries(stack):
        name = options["container_name"].replace("{port}", "1")
        if not _CONTAINER.match(name) and _stands(options, "container_name", table, report):
            path, key = _place(options, "container_name", table)
            detail = f'"{name}" has not the two characters that Docker asks for'
            report.add("name that Docker refuses", path, detail, f'set "container_name" for {entry}', key=key)


def _binds(stack: Stack, report: Report) -> None:
    for _, table, options in _entries(stack):
        bind = options["bind"]
        if bind is not False and not _is_address(bind):
            path, key = _place(options, "bind", table)
            remedy = 'write "127.0.0.1", "0.0.0.0", an address of the machine, or false'
            report.add("not an IP address", path, f'"{bind}"', remedy, key=key)


def _is_address(text: str) -> bool:
    if text in _COMMON_BINDS:
        return True
    from ipaddress import ip_address  # noqa: PLC0415  costs 2 ms, and hardly any inventory needs it

    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # Compose knows no zones


def _address(text: str) -> str:
    """Return one spelling of an address; what is none has been told."""
    if text in _COMMON_BINDS or not _is_address(text):
        return text
    from ipaddress import ip_address  # noqa: PLC0415

    return str(ip_address(text))


def _is_loopback(text: str) -> bool:
    if text in _COMMON_BINDS:
        return text == "127.0.0.1"
    from ipaddress import ip_address  # noqa: PLC0415

    return ip_address(text).is_loopback


def _key_beyond_loopback(stack: Stack, report: Report) -> None:
    router = stack.router
    if (
        router is None
        or router.api_key_env is not None
        or not _stands(router.options, "api_key_env", ("router",), report)
    ):
        return
    bind = router.options["bind"]
    if bind is not False and _is_address(bind) and not _is_loopback(bind):
        report.add(
            "router without a key beyond loopback",
            ("router", "bind"),
            f'on "{bind}" everybody who reaches the machine can use its models',
            'set api_key_env = "ROUTER_TOKEN" (the name of a variable), or bind = "127.0.0.1"',
        )


def _tiers_beyond_loopback(stack: Stack, report: Report) -> None:
    for tier in stack.tiers:
        bind = tier.options["bind"]
        names = (*tier.options["flags"], *tier.options["environment"])
        if any(re.search(r"(?i)api[_-]key$", name) for name in names):
            continue
        if bind is not False and _is_address(bind) and not _is_loopback(bind):
            path, key = _place(tier.options, "bind", ("tiers", tier.name))
            detail = f'"{tier.name}" asks for no key: on "{bind}" everybody who reaches the machine can use it'
            remedy = 'write bind = "127.0.0.1", and let clients come by the router'
            report.add("tier without a key beyond loopback", path, detail, remedy, key=key, severity="warning")


def _own_ipc(stack: Stack, report: Report) -> None:
    for tier in stack.tiers:
        if tier.options["ipc"] == f"service:{tier.options['service']}":
            path, key = _place(tier.options, "ipc", ("tiers", tier.name))
            detail = f'"{tier.options["service"]}" is this service itself'
            report.add("not for this service", path, detail, 'name another service, or write "host"', key=key)


def _images(stack: Stack, report: Report) -> None:
    for _, table, options in _entries(stack):
        image = options["image"]
        if not isinstance(image, str):
            continue
        host, slash, rest = image.partition("@")[0].partition("/")
        # The registry and the tag may have capitals.
        name = rest if slash and re.search("[.:]", host) else host + slash + rest
        name = name.partition(":")[0]
        if name != name.lower():
            path, key = _place(options, "image", table)
            report.add("name that Docker refuses", path, f'"{image}" has capitals', "write it in lower case", key=key)


def _output(inventory: Inventory, report: Report) -> None:
    output = inventory.host.output
    if output is UNSET:
        return
    folder = report.document.path.parent
    if "\\" in output and os.sep != "\\":
        detail = "here a backslash is part of a name, and not between folders"
        report.add(
            "not a folder for the tree", ("host", "output"), detail, "write forward slashes: they work everywhere"
        )
    elif os.path.realpath(folder / output) == os.path.realpath(folder):
        detail = "it is the folder of the inventory itself"
        report.add(
            "not a folder for the tree", ("host", "output"), detail, 'write a folder of its own: "../deploy/box"'
        )


def _shares(mode: Mode, report: Report) -> None:
    holders: dict[str, list[tuple[Gpu, Tier]]] = {}
    for tier in mode.tiers:
        for gpu in tier.gpus:
            holders.setdefault(gpu.name, []).append((gpu, tier))
    for name, entries in holders.items():
        tiers = [tier for _, tier in entries]
        whole = _whole(entries[0][0])
        if len(tiers) > 1:
            _told(name, tiers, mode, report)
        shares = [tier.share for tier in tiers if tier.share is not None]
        if len(shares) == len(tiers) and sum(shares) > whole + _ROUNDING:
            _too_much(name, tiers, whole, mode, report)


def _in_mode(mode: Mode) -> str:
    return f' in the mode "{mode.name}"' if mode.name else ""


def _told(name: str, tiers: list[Tier], mode: Mode, report: Report) -> None:
    for tier in tiers:
        if tier.share is None and not _has_written(tier, report):
            others = ", ".join(f'"{other.name}"' for other in tiers if other is not tier)
            detail = f'it shares "{name}" with {others}{_in_mode(mode)}, and does not say how much of it it takes'
            remedy = "set gpu_memory_utilization (or gpu_memory) in each of them"
            report.add("card shared without shares", ("tiers", tier.name), detail, remedy, key=True)


def _has_written(tier: Tier, report: Report) -> bool:
    """Tell whether the inventory does state a share; that it came to nothing has been reported already."""
    written: dict[str, Any] = report.document.data["tiers"][tier.name]
    return "gpu_memory_utilization" in written or "gpu_memory" in written


def _too_much(name: str, tiers: list[Tier], whole: float, mode: Mode, report: Report) -> None:
    total = sum(Number(str(tier.share)) for tier in tiers if tier.share is not None)
    listed = " + ".join(f"{tier.name} {tier.share}" for tier in tiers)
    detail = f'on "{name}"{_in_mode(mode)}: {listed} = {total:.4g}, and {whole:.4g} of it is there to take'
    last = tiers[-1]
    option = "gpu_memory" if last.options["gpu_memory"] is not None else "gpu_memory_utilization"
    path, key = _place(last.options, option, ("tiers", last.name))
    report.add("shares above the whole card", path, detail, "lower them, or move a tier to another card", key=key)


def _whole(gpu: Gpu) -> float:
    """Return the share of a card that tiers may take together; all of it where the reserve is faulty."""
    if gpu.memory_mib is None or gpu.reserve_mib >= gpu.memory_mib:
        return 1.0
    return 1.0 - gpu.reserve_mib / gpu.memory_mib


def _projects(stack: Stack, report: Report) -> None:
    if stack.experiment is not None and stack.experiment.project == stack.project:
        path, key = _place(stack.experiment.options, "project", ("experiment",))
        detail = f'"{stack.project}" is the project of the tiers: `down` on one would stop the other'
        report.add("project taken twice", path, detail, 'set another "project" in [experiment]', key=key)
