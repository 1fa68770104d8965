"""Groups of a fleet: each host's part is put into its inventory as a tier, so that one way reads both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import DiagnosticError, Location, display_path
from anvil_gen.inventory.fleet import GROUPS, fleet_root, stem_of
from anvil_gen.inventory.schema_group import GroupFields
from anvil_gen.inventory.struct_errors import StructError, decode_valid
from anvil_gen.inventory.toml_file import Document
from anvil_gen.values import KeyPath


class GroupFile(Struct, frozen=True, kw_only=True):
    """A group as it is written. What is wrong with its own keys is in ``errors``, and left out of ``fields``."""

    name: str
    document: Document
    fields: GroupFields
    errors: tuple[StructError, ...] = ()

    @property
    def hosts(self) -> list[str]:
        """Its hosts, in the order of ranks; none where that cannot be read."""
        return self.fields.hosts if isinstance(self.fields.hosts, list) else []

    @property
    def tiers(self) -> list[str]:
        """The names of its tiers, of which there is to be one."""
        tables = self.document.data.get("tiers")
        return [*tables] if isinstance(tables, dict) else []

    @property
    def tier(self) -> str:
        """The name of its tier; empty where it has none."""
        return next(iter(self.tiers), "")

    @property
    def table(self) -> Any:
        """The table of its tier, as it is written."""
        return self.document.data["tiers"][self.tier]


def group_paths(inventory: Path) -> list[Path]:
    """Return the files of all groups of an inventory's fleet."""
    found = (fleet_root(inventory) / GROUPS).glob("*.toml")
    return sorted(path for path in found if not path.name.startswith(".") and path.exists() and not path.is_dir())


def read_groups(inventory: Path, others: Mapping[str, str] = {}) -> list[GroupFile]:
    """Return all groups of an inventory's fleet; ``others`` are contents to take instead, as `groups/NAME`.

    Raises:
        DiagnosticError: a file cannot be read, or is no TOML.
    """
    return [group_file(path, others.get(f"{GROUPS}/{stem_of(path)}")) for path in group_paths(inventory)]


def group_file(path: Path, text: str | None = None) -> GroupFile:
    """Return a group; ``text`` replaces what is on disk.

    Raises:
        DiagnosticError: the file cannot be read, or is no TOML.
    """
    document = Document(path, display=display_path(path), text=text, below=path.parent.parent)
    own = {key: value for key, value in document.data.items() if key != "tiers"}
    fields, errors = decode_valid(own, GroupFields)
    return GroupFile(name=stem_of(path), document=document, fields=fields, errors=tuple(errors))


class HostDocument(Document):
    """An inventory with the parts of groups among its tiers; every place is where it is written."""

    def __init__(self, own: Document, groups: list[GroupFile], host: str, *, whole: bool = False) -> None:
        """Put the tiers of groups into an inventory; one that is ``whole`` has them already."""
        self.own = own
        self.path, self.display = own.path, own.display
        self.groups = {group.name: group for group in groups}
        self.parts = {group.tier: group for group in groups if host in group.hosts and group.tier}
        self.host = host
        self.text = "\0".join([own.text, *(group.document.text for group in groups if host in group.hosts)])
        tiers = own.data.get("tiers", {})
        self.taken = [name for name in self.parts if isinstance(tiers, dict) and name in tiers and not whole]
        """Tiers of groups whose name a tier of the host has too."""
        found = {name: _part(group.table, host) for name, group in self.parts.items() if not whole or name not in tiers}
        self.data = {**own.data, "tiers": {**tiers, **found}} if found and isinstance(tiers, dict) else own.data

    def location(self, path: KeyPath, *, key: bool = False) -> Location:
        """Return the place of the value at ``path``, in the inventory or in a group's file."""
        if path[:1] == (GROUPS,) and len(path) > 1 and path[1] in self.groups:
            return self.groups[str(path[1])].document.location(path[2:], key=key)
        group = self.parts.get(str(path[1])) if path[:1] == ("tiers",) and len(path) > 1 else None
        if group is None:
            return self.own.location(path, key=key)
        return group.document.location(_written(group.table, path, self.host), key=key)


def _part(table: Any, host: str) -> Any:
    """Return the table of a group's tier as that of one of its hosts: with the GPUs of this host."""
    gpus = table.get("gpus") if isinstance(table, Mapping) else None
    if not isinstance(gpus, Mapping):
        return table
    own = {"gpus": gpus[host]} if host in gpus else {}
    return {**{key: value for key, value in table.items() if key != "gpus"}, **own}


def _written(table: Any, path: KeyPath, host: str) -> KeyPath:
    """Return where the group's file has what is at ``path`` of the host's part."""
    is_by_host = isinstance(table, Mapping) and isinstance(table.get("gpus"), Mapping)
    return (*path[:3], host, *path[3:]) if path[2:3] == ("gpus",) and is_by_host else path


def host_document(
    inventory: Path, *, text: str | None = None, whole: bool = False, others: Mapping[str, str] = {}
) -> Document:
    """Return an inventory with its parts of the fleet's groups; ``text`` and ``others`` replace what is on disk.

    Raises:
        DiagnosticError: the inventory or a group cannot be read, or is no TOML.
    """
    own, errors = None, list[Any]()
    try:
        own = Document(inventory, text=text, below=fleet_root(inventory))
    except DiagnosticError as error:
        errors += error.diagnostics
    try:
        groups = read_groups(inventory, others)
    except DiagnosticError as error:
        errors += error.diagnostics
    if errors or own is None:
        raise DiagnosticError(errors)
    return HostDocument(own, groups, stem_of(inventory), whole=whole) if groups else own


def unread_hosts(group: GroupFile) -> Iterator[str]:
    """Yield hosts for which a group's tier has GPUs although they are none of its hosts."""
    gpus = group.table.get("gpus") if group.tier and isinstance(group.table, Mapping) else None
    if isinstance(gpus, Mapping) and not {"env", "interpolate"} & gpus.keys():
        yield from (name for name in gpus if name not in group.hosts)
