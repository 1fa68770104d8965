"""The hosts that are to be pinned, each as it is without a lock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anvil_gen.catalog.catalog import catalog_of
from anvil_gen.deploy.pipeline import collect_all
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.inventory.fleet import all_inventories, find_inventory, fleet_root, only_host
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.resolve.host import Host


def open_hosts(names: Sequence[str], *, every: bool, here: Path) -> list[Host]:
    """Return hosts by name or path, or those of the whole fleet, which need not be named if there is one.

    Raises:
        DiagnosticError: an inventory has errors, or there is none of a name.
    """
    names = names or ([] if every else only_host(here))
    if every == bool(names):
        detail = "name at least one HOST, or --all" if not names else "name a HOST or --all, not both"
        raise DiagnosticError([Diagnostic(code="usage-error", detail=detail)])
    found = all_inventories(here) if every else collect_all(lambda name: find_inventory(name, here), names)
    inventories = {path.absolute(): path for path in found}.values()
    return collect_all(_open, inventories)


def _open(path: Path) -> Host:
    host = Host(path, catalog_of(fleet_root(path)), lock=Lock())
    _ = host.stack  # its errors are those of all hosts that are asked for
    return host
