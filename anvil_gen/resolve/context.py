"""What all model servers of an inventory share, and one on its way to a service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine, Quirk
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.fields import Architecture
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.flag_check import FlagRules
from anvil_gen.resolve.gpu_model import Gpu, GpuRequest
from anvil_gen.resolve.group_model import Rank
from anvil_gen.resolve.model import EnvVar
from anvil_gen.resolve.monitoring_model import FederatedHost
from anvil_gen.resolve.options import ServerOptions, TierOptions
from anvil_gen.resolve.router_model import Peer
from anvil_gen.values import KeyPath, Text

_Options = TypeVar("_Options", bound=ServerOptions)


Folders = tuple[Path, Path]
"""The folder of an inventory, and that of its rendered tree."""


class FleetFacts(Struct, frozen=True, kw_only=True):
    """What a host has to know of the other hosts of its fleet."""

    peers: tuple[Peer, ...] = ()  # whose models its router serves too
    federated: tuple[FederatedHost, ...] = ()  # whose metrics are taken too
    ranks: Mapping[str, Rank] = {}  # its parts in groups, by the names of their tiers


class ResolveContext(Struct, frozen=True, kw_only=True):
    """What all model servers of one inventory share."""

    inventory: Inventory
    catalog: Catalog
    collector: Collector
    platform: str
    architecture: Architecture = "amd64"
    gpus: Mapping[str, Gpu]
    gpu_request: str  # how containers ask for them
    folder: Path  # the inventory's
    output: Path  # of the rendered tree
    project_directory: str | None = None  # where paths of tiers and services are from, as the inventory says it
    peers: tuple[Peer, ...] = ()  # other hosts whose models the router serves too
    federated: tuple[FederatedHost, ...] = ()  # other hosts whose metrics are taken too
    sealed: bool  # tiers reach nothing but each other and the router
    selinux: bool = False  # files need labels before containers may read them
    lock: Lock = Lock()  # what images and models are held to
    ranks: Mapping[str, Rank] = {}  # the host's parts in groups, by the names of their tiers


class ModelServer(Struct, Generic[_Options], frozen=True, kw_only=True):
    """A tier's or the experiment's table on its way to a service."""

    path: KeyPath
    engine_name: str
    engine: Engine | None  # None where there is none of that name: its other errors are reported all the same
    options: _Options
    gpu_request: GpuRequest | None
    image: Text
    rules: FlagRules | None = None  # None where nothing is known of the engine's flags
    rank: Rank | None = None  # of a group's tier
    rank_needs: Mapping[str, Any] = {}  # of its container, in Compose's own keys
    rank_environment: tuple[EnvVar, ...] = ()
    rank_label: str = ""

    @property
    def name(self) -> str:
        """The inventory's name for it."""
        return str(self.path[-1])

    @property
    def nodes(self) -> int:
        """How many hosts serve its model."""
        return 1 if self.rank is None else len(self.rank.members)

    @property
    def on_host_network(self) -> bool:
        """Whether it is a rank on the host's own network, where nothing is published."""
        return self.rank_needs.get("network_mode") == "host"

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that it names."""
        return self.gpu_request.gpus if self.gpu_request is not None else ()


AnyServer = ModelServer[Any]
"""One that may be a tier's or the experiment's."""
TierServer = ModelServer[TierOptions]


def matching_quirks(context: ResolveContext, engine: Engine, gpus: GpuRequest | None) -> Iterator[Quirk]:
    """Yield an engine's quirks that apply on this platform and these GPUs; of all of a host's, one is certain."""
    named = gpus.gpus if gpus is not None else ()
    number = 0 if gpus is None else gpus.number or 1
    capabilities = [_version(gpu.compute_capability) for gpu in named if gpu.compute_capability]
    for quirk in engine.quirks:
        below, start = quirk.compute_capability_below, quirk.compute_capability_from
        if quirk.platform is not None and quirk.platform != context.platform:
            continue
        if below is not None and not any(capability < _version(below) for capability in capabilities):
            continue
        if start is not None and not any(capability >= _version(start) for capability in capabilities):
            continue
        if number < quirk.gpus_from:
            continue
        yield quirk


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
