"""Where the files of a fleet are: inventories in ``hosts/``, templates and rendered trees next to it."""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from pathlib import Path

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, did_you_mean, display_path, join_words

HOSTS = "hosts"
GROUPS = "groups"
"""The folder of a fleet that holds groups, and the table in whose name their own keys are reported."""
_NO_HOSTS = {True: "hosts/ holds no .toml file", False: "there is no hosts/ folder here or above"}


def hosts_folder(start: Path) -> Path | None:
    """Return the ``hosts/`` folder of ``start`` or of the nearest folder above it."""
    return next((folder / HOSTS for folder in (start, *start.parents) if (folder / HOSTS).is_dir()), None)


def host_names(start: Path) -> list[str]:
    """Return the names of all inventories that can be given by name."""
    return [path.stem for path in _inventories(hosts_folder(start))]


def only_host(start: Path) -> list[str]:
    """Return the name of the fleet's host where it has just one, which then need not be named; else nothing."""
    names = host_names(start)
    return names if len(names) == 1 else []


def names_inventory(word: str, start: Path) -> bool:
    """Tell whether a word is the name of a host of the fleet, or the path of an inventory."""
    is_path = ("/" in word or os.sep in word) and _path_exists(start / word)
    return word.endswith(".toml") or is_path or word in host_names(start) or _is_file(start / word)


def find_inventory(host: str, start: Path) -> Path:
    """Return the inventory of a path or of a host's name.

    Raises:
        DiagnosticError: there is no inventory of that name. A path is not checked here.
    """
    if host.endswith(".toml") or "/" in host or os.sep in host or _is_file(start / host):
        return Path(host)
    folder = hosts_folder(start)
    if host and folder is not None and _path_exists(folder / f"{host}.toml"):
        return Path(display_path(folder / f"{host}.toml", start))
    if host and _path_exists(start / host):  # a folder, or anything else, is reported when it is read
        return Path(host)
    names = host_names(start)
    known = f"hosts/ has: {join_words(names)}" if names else _NO_HOSTS[folder is not None]
    remedy = did_you_mean(host, names) or "name a host, or the path of its .toml file"
    if folder is not None and host and _is_file(folder.parent / GROUPS / f"{host}.toml"):
        known = "it is a group of hosts, which `up`, `down` and `status` take"
        remedy = f"name one of its hosts, as groups/{host}.toml has them"
    detail = f'"{host}" is not an inventory: {known}'
    raise DiagnosticError([Diagnostic(code="unknown-host", detail=detail, remedy=remedy)])


def all_inventories(start: Path) -> list[Path]:
    """Return every inventory of the fleet, by name.

    Raises:
        DiagnosticError: there is no fleet here.
    """
    folder = hosts_folder(start)
    found = _inventories(folder)
    if not found:
        raise DiagnosticError([Diagnostic(code="no-inventories", detail=_NO_HOSTS[folder is not None])])
    return [Path(display_path(path, start)) for path in found]


def neighbours(inventory: Path) -> list[Path]:
    """Return the other inventories of an inventory's fleet, if it has one."""
    folder = inventory.parent.absolute()
    return [path for path in _inventories(folder) if path.name != inventory.name] if folder.name == HOSTS else []


def fleet_root(inventory: Path) -> Path:
    """Return the folder that holds ``hosts/``; an inventory outside such a folder is a fleet by itself."""
    return root_above(inventory.parent)


def root_above(folder: Path) -> Path:
    """Return the fleet's folder of one that holds inventories."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  resolve() would follow links out of the fleet
    return folder.parent if folder.name == HOSTS else folder


def repository_of(folder: Path) -> Path:
    """Return the folder of the repository that a folder is in; the folder itself where it is in none."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100
    return next((one for one in (folder, *folder.parents) if os.path.lexists(one / ".git")), folder)


def leads_above(written: str, inventory: Path) -> bool:
    """Tell whether a path of an inventory climbs out of the fleet, or out of a home, and names nothing there.

    Where that is, the fleet's place on a host decides: with enough of it, it is all of the host.
    """
    of_home = written.startswith("~/")
    parts = posixpath.normpath((written[2:] if of_home else written).replace("\\", "/")).split("/")
    below = 0 if of_home else int(Path(os.path.abspath(inventory)).parent.name == HOSTS)  # noqa: PTH100
    return {*parts} == {".."} and len(parts) > below


def stem_of(inventory: Path) -> str:
    """Return the name by which a host is meant: its inventory's, without the suffix."""
    return inventory.name.removesuffix(".toml")


def header_name(inventory: Path) -> str:
    """Return how rendered files name their inventory: the same wherever the fleet lies."""
    folder = Path(os.path.abspath(inventory)).parent  # noqa: PTH100
    return f"{HOSTS}/{inventory.name}" if folder.name == HOSTS else inventory.name


def _inventories(folder: Path | None) -> list[Path]:
    """Return the inventories of a folder; hidden files are an editor's."""
    if folder is None or not folder.is_dir():
        return []
    names: list[str] = []
    with suppress(PermissionError), os.scandir(folder) as entries:
        names = sorted((entry.name for entry in entries if _is_inventory(entry)), key=os.path.normcase)
    return [folder / name for name in names]


def _is_inventory(entry: os.DirEntry[str]) -> bool:
    """Tell whether what is listed is meant as an inventory; a pipe or a device is reported when it is read."""
    if not os.path.normcase(entry.name).endswith(".toml") or entry.name.startswith("."):
        return False
    return entry.is_file() or (not entry.is_dir() and os.path.exists(entry.path))  # noqa: PTH110


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL in it
        return False


def _path_exists(path: Path) -> bool:
    """Return whether something exists at a path: also a folder, or a broken link."""
    try:
        return os.path.lexists(path)
    except ValueError:  # a NUL in the name
        return False
