"""One host: its inventory, read; and what it resolves to, when first asked for."""

from __future__ import annotations

import os
import shlex
from functools import cached_property
from pathlib import Path

from msgspec import UNSET, Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, display_path
from anvil_gen.digests import digest_of
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.decode import parse
from anvil_gen.inventory.fleet import fleet_root, header_name
from anvil_gen.inventory.lock_file import Lock, read_lock
from anvil_gen.inventory.schema import Inventory
from anvil_gen.inventory.toml_file import Document
from anvil_gen.resolve.layers import Layer, fill_placeholders, layered, set_fields
from anvil_gen.resolve.model import Stack
from anvil_gen.resolve.options import HostOptions
from anvil_gen.resolve.output import HEADER, check_output, taken_folder
from anvil_gen.values import Text, fill


class Sources(Struct, frozen=True, kw_only=True):
    """What a tree follows from, by digest."""

    own: str
    """The inventory with its name, the files that it copies, the user's templates, and the lock."""
    shipped: str
    """The templates of this installation."""


class Host:
    """An inventory and what it resolves to. What is wrong in it is in ``collector`` until ``stack`` is asked for."""

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        *,
        output: Path | None = None,
        text: str | None = None,
        lock: Lock | None = None,
    ) -> None:
        """Read an inventory; its tree goes to ``output`` instead of where it says, and ``text`` replaces its content.

        ``lock`` is taken instead of that on disk.

        Raises:
            DiagnosticError: the file cannot be read, or is no TOML; or ``output`` is another folder's place.
        """
        self.path = path
        self.catalog = catalog
        self._given_lock = lock
        self.collector = Collector(Document(path, text=text, below=fleet_root(path)))
        self.inventory: Inventory = parse(self.collector)
        self.options = _host_options(self.inventory, catalog, path)
        self.output = Path(os.path.abspath(output or path.parent / self.options.output))  # noqa: PTH100
        """The folder of the rendered tree, absolute."""
        if output is None:
            check_output(self.collector, path, self.output, marker=f"{HEADER}{self.header}. ")
        else:
            _require_free(path, self.output)
        self.command = _command(path, output)
        """What a person types to render it."""

    @property
    def name(self) -> str:
        """The host's name."""
        return self.options.name

    @property
    def project(self) -> str:
        """The name of its compose project."""
        return self.options.project

    @property
    def docker_context(self) -> str | None:
        """The Docker context that its containers run in; None for the current one."""
        return self.options.docker_context

    @property
    def models(self) -> str | None:
        """Its folder of models."""
        return None if self.inventory.paths.models is UNSET else self.inventory.paths.models

    @property
    def header(self) -> str:
        """How rendered files name the inventory."""
        return header_name(self.path)

    @cached_property
    def lock(self) -> Lock:
        """What its images and models are held to.

        Raises:
            DiagnosticError: the lock cannot be read, or is none.
        """
        return read_lock(self.path) if self._given_lock is None else self._given_lock

    @cached_property
    def stack(self) -> Stack:
        """What the inventory resolves to.

        Raises:
            DiagnosticError: with everything that is wrong in the inventory.
        """
        from anvil_gen.resolve.resolve import resolve  # noqa: PLC0415  a verb asks Docker before it needs this

        folders = (self.path.parent, self.output)
        stack = resolve(
            self.inventory,
            self.catalog,
            self.collector,
            self.options,
            header=self.header,
            folders=folders,
            lock=self.lock,
        )
        self.collector.raise_errors()
        return stack

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is worth a look in an inventory without errors, in the order of the file."""
        return self.collector.diagnostics if self.stack else ()

    @property
    def sources(self) -> Sources:
        """What the rendered tree follows from."""
        copied = [file.text for file in self.stack.copied_files]
        own = [self.header, self.collector.document.text, *copied, self.catalog.own_text, *self.lock.texts]
        return Sources(own=digest_of("\0".join(own)), shipped=digest_of(self.catalog.shipped_text))


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


def _require_free(inventory: Path, output: Path) -> None:
    taken = taken_folder(inventory, output)
    if taken is not None:
        detail = f"--output {display_path(output)}: {taken}"
        diagnostic = Diagnostic(code="not-a-folder-for-the-tree", detail=detail, remedy="name a folder of its own")
        raise DiagnosticError([diagnostic])


def _command(path: Path, output: Path | None) -> str:
    words = ["anvil-gen", "render", path.as_posix()]
    return shlex.join(words if output is None else [*words, "--output", output.as_posix()])
