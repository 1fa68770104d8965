"""One host: its inventory, read; and what it resolves to, when first asked for."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.target import GroupWords
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, display_path, join_words
from anvil_gen.digests import digest_of
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.decode import parse
from anvil_gen.inventory.fleet import fleet_root, header_name, neighbours, stem_of
from anvil_gen.inventory.group_files import HostDocument, host_document
from anvil_gen.inventory.left_out import leave_out
from anvil_gen.inventory.lock_file import Lock, read_lock
from anvil_gen.inventory.schema import Inventory
from anvil_gen.inventory.toml_file import Document
from anvil_gen.resolve.context import FleetFacts
from anvil_gen.resolve.federated import federated_host
from anvil_gen.resolve.group_model import Rank
from anvil_gen.resolve.groups import OtherHost, ranks_of, without_parts
from anvil_gen.resolve.host_defaults import host_defaults
from anvil_gen.resolve.layers import Layer, layered, set_fields
from anvil_gen.resolve.model import Stack
from anvil_gen.resolve.monitoring_model import FederatedHost
from anvil_gen.resolve.options import HostOptions
from anvil_gen.resolve.output import check_output, taken_folder
from anvil_gen.resolve.peers import NamedPeer, hosts_named, peer_of, way_back
from anvil_gen.resolve.router_model import Peer


class Sources(Struct, frozen=True, kw_only=True):
    """What a tree follows from, by digest."""

    own: str
    """The inventory with its name, the files that it copies, the user's templates, the lock, and what others tell."""
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
        others: Mapping[str, str] = {},
        whole: bool = False,
        target: str = "",
    ) -> None:
        """Read an inventory; its tree goes to ``output`` instead of where it says, and ``text`` replaces its content.

        ``lock`` is taken instead of that on disk, and so are the contents of ``others``: hosts by name, groups as
        `groups/NAME`. A text that is ``whole`` has the tiers of groups in it. What a ``target`` does not get is left
        out.

        Raises:
            DiagnosticError: the file cannot be read, or is no TOML; or ``output`` is another folder's place.
        """
        self.path = path
        self.catalog = catalog
        self._given_lock = lock
        self._given_others = others
        self._target = target
        self.collector = Collector(host_document(path, text=text, whole=whole, others=others))
        leave_out(self.collector.document, target)
        self.inventory: Inventory = parse(self.collector)
        self.options = _host_options(self.inventory, catalog, path)
        if target:  # which says no variables, and has no file that includes another
            self.options = replace(self.options, project_directory=None)
        self.output = Path(os.path.abspath(output or path.parent / self.options.output))  # noqa: PTH100
        """The folder of the rendered tree, absolute."""
        if output is None:
            check_output(self.collector, path, self.output)
        else:
            _require_free(path, self.output)
        self.group_words: GroupWords | None = None
        """How the ranks of its groups find each other, where that is not by the addresses of their link."""
        self.command = render_command([path], output)
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
        return self._resolved(self.inventory, self.peers)

    @property
    def alone(self) -> Stack:
        """What the inventory resolves to without the hosts that its router names.

        Raises:
            DiagnosticError: with everything that is wrong in the inventory.
        """
        router = self.inventory.router
        without = self.inventory if router is UNSET else replace(self.inventory, router=replace(router, hosts=UNSET))
        return self._resolved(without, ())

    def _resolved(self, inventory: Inventory, peers: tuple[Peer, ...]) -> Stack:
        from anvil_gen.resolve.resolve import resolve  # noqa: PLC0415  a verb asks Docker before it needs this

        folders, ranks = (self.path.parent, self.output), self.ranks
        stack = resolve(
            without_parts(inventory, self.collector, ranks),
            self.catalog,
            self.collector,
            self.options,
            header=self.header,
            folders=folders,
            lock=self.lock,
            fleet=FleetFacts(peers=peers, federated=self.federated, ranks=ranks),
        )
        self.collector.raise_errors()
        return stack

    @cached_property
    def peers(self) -> tuple[Peer, ...]:
        """What its router has to know of the hosts that it names; what is wrong with them is in ``collector``."""
        found: dict[str, Peer] = {}
        for name, here in hosts_named(self.inventory):
            peer, code, detail, remedy = self._peer(name)
            if name in found:
                code, detail, remedy = "host-named-twice", f'"{name}" is in this list already', "name each host once"
            if code:
                self.collector.add(code, here, detail, remedy)
            elif peer is not None:
                found[name] = peer
        return tuple(found.values())

    @cached_property
    def ranks(self) -> dict[str, Rank]:
        """Its parts in groups, by the names of their tiers; what is wrong with them is in ``collector``."""
        if not isinstance(self.collector.document, HostDocument):  # and who is in no group asks for no other host
            return {}
        found = ranks_of(self.collector, sorted([stem_of(self.path), *self._others]), self._member)
        return {tier: replace(rank, words=self.group_words) for tier, rank in found.items()}

    def _member(self, name: str) -> OtherHost:
        if name == stem_of(self.path):
            return OtherHost(inventory=self.inventory, options=self.options, lock=self.lock)
        path = self._others[name]
        collector = Collector(Document(path, text=self._given_others.get(name), below=fleet_root(path)))
        leave_out(collector.document, self._target)
        inventory = parse(collector)
        collector.raise_errors()
        return OtherHost(
            inventory=inventory, options=_host_options(inventory, self.catalog, path), lock=read_lock(path)
        )

    @cached_property
    def federated(self) -> tuple[FederatedHost, ...]:
        """The hosts whose metrics its Prometheus takes too; what is wrong with them is in ``collector``."""
        monitoring = self.inventory.monitoring
        found: dict[str, FederatedHost] = {}
        for index, name in enumerate(() if monitoring is UNSET or monitoring.hosts is UNSET else monitoring.hosts):
            other, code, detail, remedy = self._watched(name)
            if name in found:
                code, detail, remedy = "host-named-twice", f'"{name}" is in this list already', "name each host once"
            if code:
                self.collector.add(code, ("monitoring", "hosts", index), detail, remedy)
            elif other is not None:
                found[name] = other
        return tuple(found.values())

    def _watched(self, name: str) -> tuple[FederatedHost | None, str, str, str]:
        """Return where another host's Prometheus is; or a code, a detail and a remedy of what speaks against it."""
        path = self._others.get(name)
        if path is None:
            known = join_words(self._others) or "none"
            detail = f'"{name}" is no other inventory of the fleet (there: {known})'
            return None, "unknown-host", detail, "name one"
        try:
            read = Host(path, self.catalog)
            read.collector.raise_errors()
            other, detail, remedy = federated_host(read.inventory, name, self.catalog)
        except DiagnosticError as error:
            other, detail = None, f"its inventory has errors, the first: {next(iter(error.diagnostics)).summary}"
            remedy = f"see them:\n\n    anvil-gen render {name}"
        return other, "" if other is not None else "host-cannot-be-used", detail, remedy

    def _peer(self, name: str) -> tuple[Peer | None, str, str, str]:
        """Return what is to be known of a host; or a code, a detail and a remedy of what speaks against it."""
        own = stem_of(self.path)
        circle = way_back(name, own, self._named_by)
        if circle:
            detail = f'"{name}" is this host itself' if name == own else f"{' names '.join((own, *circle))}"
            return None, "hosts-in-a-circle", detail, "take one of them out: requests would go round"
        path = self._others.get(name)
        if path is None:
            known = join_words(self._others) or "none"
            return None, "unknown-host", f'"{name}" is no other inventory of the fleet (there: {known})', "name one"
        try:
            other = Host(path, self.catalog, text=self._given_others.get(name))
            named = NamedPeer(name=name, inventory=other.inventory, stack=other.alone)
        except DiagnosticError as error:
            detail = f"its inventory has errors, the first: {next(iter(error.diagnostics)).summary}"
            return None, "host-cannot-be-used", detail, f"see them:\n\n    anvil-gen render {name}"
        peer, detail, remedy = peer_of(named, self.name)
        return peer, "" if peer is not None else "host-cannot-be-used", detail, remedy

    @cached_property
    def _others(self) -> dict[str, Path]:
        return {stem_of(path): path for path in neighbours(self.path)}

    def _named_by(self, name: str) -> list[str]:
        """Return the hosts that another one names; none where its inventory cannot be read."""
        try:
            return [other for other, _ in hosts_named(Host(self._others[name], self.catalog).inventory)]
        except (DiagnosticError, KeyError):
            return []

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is worth a look in an inventory without errors, in the order of the file."""
        return self.collector.diagnostics if self.stack else ()

    @property
    def sources(self) -> Sources:
        """What the rendered tree follows from."""
        copied = [file.text for file in self.stack.copied_files]
        own = [self.header, self.collector.document.text, *copied, self.catalog.own_text, *self.lock.texts]
        own += [msgspec.json.encode(peer).decode() for peer in (*self.peers, *self.federated)]
        own += [text for rank in self.ranks.values() for member in rank.members for text in member.texts]
        return Sources(own=digest_of("\0".join(own)), shipped=digest_of(self.catalog.shipped_text))


def _host_options(inventory: Inventory, catalog: Catalog, path: Path) -> HostOptions:
    table = set_fields(inventory.host)
    return layered(
        HostOptions,
        Layer(name="templates/defaults.toml", values=host_defaults(path, table, catalog.defaults["host"])),
        Layer(name="[host]", values=table, path=("host",)),
    )


def _require_free(inventory: Path, output: Path) -> None:
    taken = taken_folder(inventory, output)
    if taken is not None:
        detail = f"--output {display_path(output)}: {taken}"
        diagnostic = Diagnostic(code="not-a-folder-for-the-tree", detail=detail, remedy="name a folder of its own")
        raise DiagnosticError([diagnostic])


def render_command(paths: Sequence[Path], output: Path | None, target: str = "") -> str:
    """Return what a person types to render inventories."""
    options = [*(() if output is None else ("--output", output.as_posix())), *(("--target", target) if target else ())]
    return shlex.join(["anvil-gen", "render", *(path.as_posix() for path in paths), *options])
