"""What cannot be mounted, or not next to something else: in `files`, and in Compose's own keys."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Any

from anvil_gen.host_paths import is_below, is_root
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.compose_decode import added_items
from anvil_gen.inventory.env_references import own_key_tables, server_tables
from anvil_gen.inventory.fleet import leads_above
from anvil_gen.resolve.compose_keys import long_mount
from anvil_gen.resolve.relative_paths import with_defaults, written_paths
from anvil_gen.values import KeyPath

_LONGEST_PART, _LONGEST = 255, 1000
_WHOLE = "mount-of-the-whole-host"
_WRITTEN = "a service could write to all of the host"
OF_THE_KERNEL = "Docker mounts nothing over what the kernel tells in /proc"


def is_of_the_kernel(target: str) -> bool:
    """Tell whether a place in a container is in the kernel's own file system."""
    return posixpath.normpath(target).split("/")[:2] == ["", "proc"]


def file_errors(targets: Iterable[str], mounted: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with the targets of `files`: the target, detail and remedy.

    ``mounted`` are the other places in the container at which something is mounted, files or folders.
    """
    files: dict[str, str] = {}
    holding = {way: place for place in reversed(list(mounted)) for way in _ways(place)}
    for target in sorted(targets):
        ways = _ways(target)
        below = next((files[way] for way in ways if way in files), None)
        other = below or holding.get(ways[-1])
        detail = _path_error(target)
        if detail is None and other is not None:
            same = other.casefold() == target.casefold()
            detail = f'"{other}" is mounted there already' if same else f'"{below or target}" cannot be a folder too'
        if detail is not None:
            yield target, detail, "write it out, and in another way"
        files.setdefault(ways[-1], target)
        holding.update((way, target) for way in ways if way not in holding)


def _ways(path: str) -> list[str]:
    """Return the folders that lead to a path, and the path itself: the same for all that a file system may fold."""
    folded = path[: _LONGEST + 1].casefold()
    return [*(folded[:at] for at in range(1, len(folded)) if folded[at] == "/"), folded]


def _path_error(target: str) -> str | None:
    parts = target.split("/")[1:]
    if is_of_the_kernel(target):
        return OF_THE_KERNEL
    if posixpath.normpath(target) != target or not is_below(target.lstrip("/")) or target.startswith("//"):
        return "it is no plain path of a file"
    if len(target) > _LONGEST or any(len(part.encode()) > _LONGEST_PART for part in parts):
        return f"it is longer than {_LONGEST} characters, or a part of it than {_LONGEST_PART} bytes"
    return (
        "names that start like this are anvil-gen's own"
        if any(part.startswith(".anvil-gen") for part in parts)
        else None
    )


def check_paths(collector: Collector) -> None:
    """Report mounts of a whole file system, and mounts over the container's: of folders, and in Compose's own keys."""
    for path in (("hfcache", "path"), ("router", "tls", "certificate"), ("router", "tls", "key")):
        value = collector.value_at(path)
        if isinstance(value, str) and is_root(value):
            collector.add(_WHOLE, path, f'"{value}"', "name a folder or file of its own")
    for table, keys in _tables_with_paths(collector.document.data):
        for place, written in written_paths(keys, table):
            if check_climb(collector, place, written) and "build" in place[len(table) :] and is_root(written):
                collector.add(_WHOLE, place, "a build could read all of the host", "name a folder of its own")
    for table, mapping in own_key_tables(collector.document.data):
        mounts, where = mapping.get("volumes"), (*table, "volumes")
        if (added := added_items(mounts)) is not None:
            mounts, where = added, (*where, "add")
        for index, mount in enumerate(mounts if isinstance(mounts, list) else ()):
            _check_mount(collector, (*where, index), mount)
        if table[0] == "volumes":
            _check_volume(collector, (*table, "driver_opts", "device"), mapping.get("driver_opts"))


def _tables_with_paths(data: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    yield from own_key_tables(data)
    for path, table in server_tables(data):
        yield path, {key: table[key] for key in ("env_file", "build") if key in table}


def check_climb(collector: Collector, path: KeyPath, written: str) -> bool:
    """Tell whether a path of the host names something; report one that does nothing but climb out of the fleet."""
    climbs = leads_above(written, collector.document.path)
    if climbs:
        detail = f'"{written}" names nothing: what is there, up to the whole host, depends on where the fleet is'
        remedy = "name the folder or file that is needed, from the root on if it is outside of the fleet"
        collector.add("path-above-the-fleet", path, detail, remedy)
    return not climbs


def _check_volume(collector: Collector, path: KeyPath, options: Any) -> None:
    """Report a volume that is all of the host under another name."""
    device, how = (options.get("device"), options.get("o")) if isinstance(options, dict) else (None, None)
    if isinstance(device, str) and is_root(device) and not {"ro"} & {*str(how).split(",")}:
        collector.add(_WHOLE, path, _WRITTEN, "name a folder, or mount it read-only")


def _check_mount(collector: Collector, path: KeyPath, mount: Any) -> None:
    mount = with_defaults(mount)
    if not isinstance(mount, dict | str):
        return
    long = long_mount(mount)
    source, target = (
        value if isinstance(value := with_defaults(long[key]), str) else "" for key in ("source", "target")
    )
    if target and is_root(target):
        collector.add(_WHOLE, path, "the container's own files would be under it", "mount it at a folder of its own")
    elif is_of_the_kernel(target):
        collector.add("invalid-name", path, OF_THE_KERNEL, "mount it at a folder of its own")
    elif long["type"] == "bind" and is_root(source) and long.get("read_only") is not True:
        collector.add(_WHOLE, path, _WRITTEN, "name a folder, or mount it read-only")
