"""What the templates of a target are given: what runs together, where its files are, and which GPUs it claims."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.render.workloads import Container
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.model import Tier
from anvil_gen.resolve.root_files import DEFAULT_MODE


class Store(Struct, frozen=True, kw_only=True):
    """Where mounts are from: a folder of the host (`path`), or a volume of its own."""

    name: str
    path: str = ""
    size: str
    nodes: tuple[str, ...] = ()
    read_only: bool = False
    volume: str = ""  # what a container engine calls it

    @property
    def is_spread(self) -> bool:
        """Whether it is on several nodes."""
        return len(self.nodes) > 1


class ConfigFile(Struct, frozen=True, kw_only=True):
    """A file that is mounted: its name among those of the workload, its path in the deploy tree, and its text."""

    key: str
    path: str
    text: str


class GpuClaim(Struct, frozen=True, kw_only=True):
    """GPUs of one tier, or one that several tiers share."""

    name: str
    shared: bool
    device_class: str
    attribute: str  # of CEL: what the UUIDs are compared with
    uuids: tuple[str, ...]
    count: int
    words: str

    @property
    def selector(self) -> str:
        """What selects the GPUs, as an expression of CEL."""
        quoted = [json.dumps(uuid) for uuid in self.uuids]
        one_of = f"== {quoted[0]}" if len(quoted) == 1 else f"in [{', '.join(quoted)}]"
        return f"{self.attribute} {one_of}"


class Workload(Struct, frozen=True, kw_only=True):
    """A service with those that live in its network, and what they need."""

    name: str
    tier: Tier | None
    containers: tuple[Container, ...]
    files: tuple[ConfigFile, ...]
    digest: str  # of its files; empty where they are read again, or there are none
    claims: tuple[GpuClaim, ...]
    gpus: tuple[Gpu, ...]
    sealed: bool
    networks: tuple[str, ...]
    declared: Mapping[str, Any]  # volumes of its file, as Compose has them
    nodes: tuple[str, ...] = ()  # where it runs, by names in a cluster: one pod on each
    claim_templates: tuple[Store, ...] = ()  # volumes that each pod of its group has to itself
    workers: tuple[Workload, ...] = ()  # the further ranks of its group: one template for all
    modes: tuple[str, ...] = ()  # in which it runs
    conflicts: tuple[str, ...] = ()  # units that never run with it

    @property
    def files_name(self) -> str:
        """The store of its files."""
        return f"{self.name}-files"

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that its containers mount, without that of its files."""
        mounts = (mount for one in self.containers for mount in one.mounts if mount.kind != "each")
        return tuple(name for name in dict.fromkeys(mount.store for mount in mounts) if name != self.files_name)

    @property
    def read_only_stores(self) -> frozenset[str]:
        """Those of its stores that nothing in it writes into."""
        written = {mount.store for one in self.containers for mount in one.mounts if not mount.read_only}
        return frozenset(self.stores) - written

    @property
    def shared_memory(self) -> int | None:
        """The bytes of memory that its processes share, 0 for no limit; None for the usual amount."""
        return next((one.shared_memory for one in self.containers if one.shared_memory is not None), None)

    @property
    def is_spread(self) -> bool:
        """Whether it runs on several nodes."""
        return len(self.nodes) > 1

    @property
    def is_non_root(self) -> bool:
        """Whether every container is known to run without root."""
        return all(one.user for rank in (self, *self.workers) for one in rank.containers)


class ModeView(Struct, frozen=True, kw_only=True):
    """A mode: what runs, and the router's files with its digest there."""

    name: str
    tiers: tuple[str, ...]
    files: tuple[ConfigFile, ...]
    digest: str

    @property
    def title(self) -> str:
        """How a person names it."""
        return self.name or DEFAULT_MODE

    @property
    def digest_patch(self) -> str:
        """What puts its digest in the place of the default mode's."""
        path = "/spec/template/metadata/annotations/anvil-gen~1files"
        return json.dumps([{"op": "replace", "path": path, "value": self.digest}])


class TargetView(Struct, frozen=True, kw_only=True):
    """Everything that a target's templates are given besides the stack."""

    project: str
    options: Mapping[str, Any]
    shares_base: bool = False  # what several hosts have in common is next to their folders
    tiers: tuple[Workload, ...]
    router: Workload | None
    routers: tuple[Workload, ...]  # one for each mode that has routes of its own
    stores: tuple[Store, ...]
    claims: tuple[GpuClaim, ...]  # those that several tiers share
    modes: tuple[ModeView, ...]

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """All of them, the routers last."""
        return (*(rank for tier in self.tiers for rank in (tier, *tier.workers)), *self.routers)

    @property
    def singles(self) -> tuple[Workload, ...]:
        """The tiers that run on one host."""
        return tuple(one for one in self.tiers if not one.workers)

    @property
    def groups(self) -> tuple[Workload, ...]:
        """The tiers that run on several hosts."""
        return tuple(one for one in self.tiers if one.workers)

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that they are on, by Compose's names."""
        return tuple(dict.fromkeys(name for one in self.workloads for name in one.networks))

    @property
    def is_non_root(self) -> bool:
        """Whether everything is known to run without root."""
        return all(one.is_non_root for one in self.workloads)
