"""The project that a command operates on: known once the inventory is read, before it is resolved."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.inventory.fleet import find_inventory, fleet_root
from anvil_gen.machine.compose import Project
from anvil_gen.machine.docker import Docker
from anvil_gen.resolve.load import HostReading, read_host


class Target(Struct, frozen=True, kw_only=True):
    """A host's project, and its inventory as read."""

    reading: HostReading
    project: Project


def find_target(host: str, here: Path) -> Target:
    """Return the host that a name or a path refers to.

    Raises:
        DiagnosticError: there is no such host, or its inventory cannot be read.
    """
    path = find_inventory(host, here)
    reading = read_host(path, Catalog(fleet_root(path) / "templates"))
    project = Project(docker=Docker(reading.docker_context), folder=reading.output, name=reading.project)
    return Target(reading=reading, project=project)
