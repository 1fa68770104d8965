"""The mounts that an inventory names itself, beside those of models, files and caches."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PureWindowsPath
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from anvil_gen.host_paths import is_absolute, is_root
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.schema import Inventory
from anvil_gen.inventory.schema_mounts import MountTable
from anvil_gen.resolve.compose_keys import long_mount
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.impossible_paths import OF_THE_KERNEL, check_climb, is_of_the_kernel
from anvil_gen.resolve.layers import set_fields
from anvil_gen.resolve.model import Mount
from anvil_gen.resolve.options import ServiceOptions
from anvil_gen.resolve.relative_paths import Move, move_to
from anvil_gen.values import EnvRef, KeyPath, VariableText, VariableValue, address, with_reference

Taken = Mapping[str, KeyPath | str]
"""Places in a container that have a mount: where the inventory says so, or what a person calls it."""


_OF_FOLDERS = (("selinux", "create", "propagation"), "Docker labels and creates its volumes itself")
_OF_VOLUMES = (("nocopy", "subpath"), "only a volume has it, and this is a folder or file of the host")


def own_mounts(
    context: ResolveContext, options: ServiceOptions, table: KeyPath, taken: Taken, *, folder: str
) -> tuple[Mount, ...]:
    """Return the mounts of a table's ``mounts``, by their place; what is wrong with them is reported.

    Args:
        context: takes the errors.
        options: the options of a tier, the experiment or the router.
        table: its key path.
        taken: places that other mounts of the service have.
        folder: the folder of the tree that its compose file is in.
    """
    return tuple(_mounts(context, options, table, taken, folder))


def _mounts(
    context: ResolveContext, options: ServiceOptions, table: KeyPath, taken: Taken, folder: str
) -> Iterator[Mount]:
    defaults = context.catalog.defaults["mount"]
    for target, written in sorted(options.mounts.items()):
        path = _place(context, table, target)
        long = {"source": written} if isinstance(written, str) else set_fields(written)
        mount = MountTable(**{**{key: UNSET if value is None else value for key, value in defaults.items()}, **long})
        if not _fits(context, target, path, taken) or not _is_one_source(context, mount, path):
            continue
        if mount.volume is not UNSET:
            yield Mount(
                source=mount.volume,
                target=target,
                volume=True,
                read_only=mount.read_only is True,
                nocopy=mount.nocopy is True,
                subpath=None if mount.subpath is UNSET else mount.subpath,
            )
        elif mount.source is not UNSET and _is_source(context, mount.source, path):
            yield Mount(
                source=moved_source(mount.source, move_to(context, folder)),
                target=target,
                read_only=mount.read_only is True,
                selinux=None if mount.selinux is UNSET else mount.selinux,
                create=mount.create is True,
                propagation=None if mount.propagation is UNSET else mount.propagation,
            )


def moved_source(source: str, move: Move) -> str:
    """Return a source as it is written in the tree: of a variable, the default."""
    if source == "":  # a variable without a default
        return source
    moved = move(source)
    if not isinstance(source, VariableValue):
        return moved
    parts = (replace(part, default=moved) if isinstance(part, EnvRef) else part for part in source.reference.parts)
    found: str = with_reference(moved, VariableText(tuple(parts)))
    return found


def _place(context: ResolveContext, table: KeyPath, target: str) -> KeyPath:
    """Return where a mount is written: in the table itself, or in the defaults."""
    own: KeyPath = (*table, "mounts", target)
    return own if context.collector.value_at(own) is not None else ("defaults", "mounts", target)


def _fits(context: ResolveContext, target: str, path: KeyPath, taken: Taken) -> bool:
    """Tell whether a mount can be at its place; report why not."""
    normal = "/" + posixpath.normpath(target).lstrip("/")
    if target != normal or normal == "/":
        remedy = "name a folder or file below the root" if normal == "/" else f'write "{normal}"'
        context.collector.add("invalid-name", path, "it is no plain path in a container", remedy, key=True)
        return False
    if is_of_the_kernel(target):
        context.collector.add("invalid-name", path, OF_THE_KERNEL, "mount it at a folder of its own", key=True)
        return False
    if target in taken:
        report_taken(context, path, taken[target])
    return target not in taken


def report_taken(context: ResolveContext, path: KeyPath, other: KeyPath | str) -> None:
    """Report a mount whose place another one has: with the line of that, where the inventory has one."""
    if not isinstance(other, str):
        location = context.collector.document.location(other)
        other = f"{address(other)} ({location.file}:{location.line})"
    remedy = "mount one of them at another place"
    context.collector.add("mount-taken-twice", path, f"{other} is mounted there", remedy, key=True)


def check_router_mounts(services: Iterable[Mapping[str, Any]], collector: Collector) -> None:
    """Report mounts of the router's table where its file has one already, as only the rendered file shows."""
    for service in services:
        mounts = [long_mount(mount) for mount in service.get("volumes") or ()]
        targets = [mount["target"] for mount in mounts]
        # Nothing can be put into the folder of its own files, which is read-only.
        folders = tuple(f"{mount['target']}/" for mount in mounts if mount.get("source") == ".")
        for target in sorted({one for one in targets if targets.count(one) > 1 or one.startswith(folders)}):
            path: KeyPath = ("router", "mounts", target)
            if collector.value_at(path) is not None:
                remedy = "mount it at another place"
                collector.add("mount-taken-twice", path, "a file of the router is mounted there", remedy, key=True)


def _is_one_source(context: ResolveContext, mount: MountTable, path: KeyPath) -> bool:
    """Tell whether a mount names one source, and says of it only what it can have."""
    collector = context.collector
    if mount.source is UNSET and mount.volume is UNSET:
        if not collector.is_dropped(path):
            collector.missing_key(path, "source", 'write source = "/folder" or volume = "NAME"')
        return False
    if mount.source is not UNSET and mount.volume is not UNSET:
        detail = '"source" and "volume" both say what is mounted'
        collector.add("two-fields-for-one-thing", (*path, "volume"), detail, "keep one of them")
        return False
    is_volume = mount.volume is not UNSET
    keys, detail = _OF_FOLDERS if is_volume else _OF_VOLUMES
    wrong = [key for key in keys if collector.value_at((*path, key)) is not None]
    for key in wrong[:1]:
        collector.add("two-fields-for-one-thing", (*path, key), detail, "remove it", key=True)
    return not wrong


def _is_source(context: ResolveContext, source: str, path: KeyPath) -> bool:
    """Tell whether a path of the host can be mounted; report why not."""
    written = context.collector.value_at(path)
    here = (*path, "source") if isinstance(written, dict) and "source" in written else path
    return check_source(context.collector, context.inventory, source, here)


def check_source(collector: Collector, inventory: Inventory, source: str, path: KeyPath) -> bool:
    """Tell whether what is at a key path can be mounted as a path of the host; report why not."""
    if not check_climb(collector, path, source):
        return False
    code, detail, remedy = _source_error(inventory, source) or ("", "", "")
    if code:
        collector.add(code, path, detail, remedy)
    return not code


def _source_error(inventory: Inventory, source: str) -> tuple[str, str, str] | None:
    if source.startswith("~"):
        if source == "~" or source.startswith("~/"):
            return None
        return "invalid-form", f'"{source}": Compose knows no home but that of who runs it', "write the folder out"
    if is_absolute(source):
        whole = source.startswith("/") and is_root(f"/{posixpath.normpath(source).strip('/')}")
        remedy = "mount the folder that the service needs"
        return ("mount-of-the-whole-host", "a container that has / has the host", remedy) if whole else None
    if PureWindowsPath(source).drive:
        return "not-an-absolute-path", f'"{source}" names a drive without a root', "write it from the root on: C:/media"
    if "\\" in source:
        detail = "a backslash is part of a name on Linux, and not between folders"
        return "invalid-form", detail, "write forward slashes: they work everywhere"
    if source in inventory.volumes:
        detail = f'"{source}" is a folder next to the inventory here, and [volumes] has a volume of that name'
        return "invalid-form", detail, f'write {{ volume = "{source}" }}, or "./{source}" for the folder'
    return None
