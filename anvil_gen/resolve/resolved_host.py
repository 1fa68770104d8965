"""One inventory, read and resolved: all that is known of a host before its files are rendered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.digests import digest_of
from anvil_gen.inventory.fleet import header_name
from anvil_gen.resolve.load import HostReading
from anvil_gen.resolve.model import Stack
from anvil_gen.resolve.resolve import resolve


class Sources(Struct, frozen=True, kw_only=True):
    """What a tree follows from, by digest."""

    own: str
    """The inventory with its name, the files that it copies, and the user's templates."""
    shipped: str
    """The templates of this installation."""


class Resolved(Struct, frozen=True, kw_only=True):
    """One host, resolved."""

    host: str
    project: str
    docker_context: str | None
    models: str | None
    """The folder of the host that holds its models."""
    inventory: Path
    data: Mapping[str, Any]
    """The inventory as it is written."""
    sources: Sources
    stack: Stack
    output: Path
    warnings: tuple[Diagnostic, ...]
    header: str
    command: str
    """What a person types to render it."""
    catalog: Catalog


def resolve_host(reading: HostReading) -> Resolved:
    """Resolve an inventory that has been read.

    Raises:
        DiagnosticError: with everything that is wrong in the inventory.
    """
    path, catalog, collector, options = reading.path, reading.catalog, reading.collector, reading.options
    stack = resolve(reading.inventory, catalog, collector, options, header=header_name(path), folder=path.parent)
    collector.raise_errors()
    return Resolved(
        host=stack.host,
        project=stack.project,
        docker_context=reading.docker_context,
        models=None if reading.inventory.paths.models is UNSET else reading.inventory.paths.models,
        inventory=path,
        data=collector.document.data,
        sources=_sources(collector.document.text, stack, catalog),
        stack=stack,
        output=reading.output,
        warnings=collector.diagnostics,
        header=stack.inventory,
        command=reading.command,
        catalog=catalog,
    )


def _sources(inventory: str, stack: Stack, catalog: Catalog) -> Sources:
    copied = [file.text for tier in stack.tiers for file in tier.files]
    own = digest_of("\0".join([stack.inventory, inventory, *copied, catalog.own_text]))
    return Sources(own=own, shipped=digest_of(catalog.shipped_text))
