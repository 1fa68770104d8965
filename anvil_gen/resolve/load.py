"""An inventory that has been read: which host it is of, and where that host's files and containers are.

The rest of it is resolved later (`resolved_host.py`), so that Docker can be asked at the same time.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.decode import parse
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.inventory.schema import Inventory
from anvil_gen.inventory.toml_file import Document
from anvil_gen.resolve.layers import Layer, fill_placeholders, layered, set_fields
from anvil_gen.resolve.options import HostOptions
from anvil_gen.values import Text, fill


class HostReading(Struct, frozen=True, kw_only=True):
    """One inventory, parsed. Errors are in ``collector`` so far: what they hit is left out of ``inventory``."""

    path: Path
    catalog: Catalog
    collector: Collector
    inventory: Inventory
    options: HostOptions
    """Those of ``[host]``, with their defaults."""
    output: Path
    """The folder of the rendered tree, absolute."""
    command: str
    """What a person types to render it."""

    @property
    def project(self) -> str:
        """The name of the host's compose project."""
        project: str = self.options.project
        return project

    @property
    def docker_context(self) -> str | None:
        """The Docker context that its containers run in; None for the current one."""
        context: str | None = self.options.docker_context
        return context


def read_host(path: Path, catalog: Catalog, *, output: Path | None = None, text: str | None = None) -> HostReading:
    """Read an inventory, whose tree goes to ``output`` instead of where it says; ``text`` replaces its content.

    Raises:
        DiagnosticError: the file cannot be read, or is no TOML.
    """
    collector = Collector(Document(path, text=text))
    inventory = parse(collector)
    options = _host_options(inventory, catalog, path)
    return HostReading(
        path=path,
        catalog=catalog,
        collector=collector,
        inventory=inventory,
        options=options,
        output=Path(os.path.abspath(output or path.parent / options.output)),  # noqa: PTH100
        command=_command(path, output),
    )


def _host_options(inventory: Inventory, catalog: Catalog, path: Path) -> HostOptions:
    table, stem = set_fields(inventory.host), path.name.removesuffix(".toml")
    name = table.get("name", fill(catalog.defaults["host"]["name"], {"file": stem}))
    values: dict[str, Text] = {"file": stem, "host": name, "deploy": str(fleet_root(path) / "deploy")}
    defaults = fill_placeholders(catalog.defaults["host"], values)
    return layered(
        HostOptions,
        Layer(name="templates/defaults.toml", values=defaults),
        Layer(name="[host]", values=table, path=("host",)),
    )


def _command(path: Path, output: Path | None) -> str:
    words = ["anvil-gen", "render", path.as_posix()]
    return shlex.join(words if output is None else [*words, "--output", output.as_posix()])
