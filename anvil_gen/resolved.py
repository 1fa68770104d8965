"""One inventory, read and resolved: all that is known of a host before its files are rendered."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from msgspec import Struct

from anvil_gen.catalog import Catalog
from anvil_gen.deploy_folder import digest_of
from anvil_gen.deploy_state import Sources
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.document import Document
from anvil_gen.fleet import fleet_root, header_name
from anvil_gen.model import Stack
from anvil_gen.report import Report
from anvil_gen.resolve import host_options, resolve
from anvil_gen.structure import parse


class Resolved(Struct, frozen=True, kw_only=True):
    """One host, resolved."""

    host: str
    project: str
    docker_context: str | None
    inventory: Path
    sources: Sources
    stack: Stack
    output: Path
    warnings: tuple[Diagnostic, ...]
    header: str
    command: str
    """What a person types to render it."""
    catalog: Catalog


def resolve_host(inventory: Path, catalog: Catalog, *, output: Path | None = None) -> tuple[Resolved, Report]:
    """Read and resolve one inventory, to be rendered to ``output`` instead of where it says.

    Returns:
        The host, and the report, for what a later stage finds.

    Raises:
        DiagnosticError: with everything that is wrong in the inventory.
    """
    report = Report(Document(inventory))
    parsed = parse(report)
    stem, deploy = inventory.name.removesuffix(".toml"), str(fleet_root(inventory) / "deploy")
    host = host_options(parsed, catalog, file_stem=stem, deploy=deploy)
    stack = resolve(parsed, catalog, report, host, header=header_name(inventory), folder=inventory.parent)
    report.raise_errors()
    resolved = Resolved(
        host=stack.host,
        project=stack.project,
        docker_context=host["docker_context"],
        inventory=inventory,
        sources=_sources(report.document.text, stack, catalog),
        stack=stack,
        output=Path(os.path.abspath(output or inventory.parent / host["output"])),  # noqa: PTH100
        warnings=report.diagnostics,
        header=stack.inventory,
        command=_command(inventory, output),
        catalog=catalog,
    )
    return resolved, report


def _sources(inventory: str, stack: Stack, catalog: Catalog) -> Sources:
    copied = [file.text for tier in stack.tiers for file in tier.files]
    own = digest_of("\0".join([stack.inventory, inventory, *copied, catalog.own_text]))
    return Sources(own=own, shipped=digest_of(catalog.shipped_text))


def _command(inventory: Path, output: Path | None) -> str:
    words = ["anvil-gen", "render", inventory.as_posix()]
    return shlex.join(words if output is None else [*words, "--output", output.as_posix()])
