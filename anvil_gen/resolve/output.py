"""Where a tree may be rendered to: a folder of its own in the fleet, whatever an inventory says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.fleet import HOSTS, fleet_root
from anvil_gen.inventory.lock_file import LOCKS
from anvil_gen.text_files import is_inside

HEADER = "# Made by anvil-gen from "
_OWN_FOLDERS = (HOSTS, LOCKS, "templates")


def check_output(collector: Collector, inventory: Path, output: Path) -> None:
    """Report what is wrong with the output that an inventory names.

    Outside the fleet nothing that lies there says that a person means it: another fleet has an inventory of that name.
    """
    root, written = fleet_root(inventory), collector.value_at(("host", "output"))
    code, detail = "not-a-folder-for-the-tree", taken_folder(inventory, output)
    remedy = 'write a folder of its own in the fleet: "../deploy/box"'
    if isinstance(written, str) and "\\" in written and os.sep != "\\":
        detail = "here a backslash is part of a name, and not between folders"
        remedy = "write forward slashes: they work everywhere"
    elif isinstance(written, str) and written.startswith("~"):
        detail = "a ~ is a home folder for shells alone"
    elif _is_hidden(output, root):
        code, remedy = "invalid-name", "name another folder, or give --output"
        detail = f"{written or output} leads to a hidden folder, where other programs keep what they run"
    elif detail is None and not is_inside(output, root):
        detail = "it is outside the fleet"
        remedy += "; only who types --output renders elsewhere"
    if detail is not None:
        collector.add(code, ("host", "output"), detail, remedy)


def taken_folder(inventory: Path, output: Path) -> str | None:
    """Return why a folder is none that any tree may be rendered to; None for a free one."""
    if os.path.realpath(output) == os.path.realpath(inventory.parent):
        return "it is the folder of the inventory itself"
    root = fleet_root(inventory)
    for folder, name in _taken(root):
        if is_inside(folder, output):
            return f"it is {name}" if is_inside(output, folder) else f"{name} is in it"
    return next((f"it is in the fleet's {name}/" for name in _OWN_FOLDERS if is_inside(output, root / name)), None)


def _taken(root: Path) -> Iterator[tuple[Path, str]]:
    yield root, "the fleet's own folder"
    yield from ((root / name, f"the fleet's {name}/") for name in _OWN_FOLDERS)
    yield Path(os.path.expanduser("~")), "a home folder"  # noqa: PTH111  which needs no home to exist


def _is_hidden(output: Path, root: Path) -> bool:
    """Tell whether the way from a fleet to an output leads through a hidden folder, such as `.git`."""
    try:
        way = Path(os.path.relpath(os.path.realpath(output), os.path.realpath(root)))
    except ValueError:  # another drive
        return False
    return any(part.startswith(".") and not part.startswith("..") for part in way.parts)
