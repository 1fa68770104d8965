"""The options of an inventory's tables after all layers: each with its type, and where its value was written.

A value that is a variable is of its field's type too (`anvil_gen.values.Variable`): the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from msgspec import Struct

from anvil_gen.inventory.fields import Architecture
from anvil_gen.inventory.schema_base import LoggingTable
from anvil_gen.inventory.schema_model import AdapterTable, EnvFileTable, ModelTable, WeightsTable
from anvil_gen.inventory.schema_mounts import MountTable, NetworkTable
from anvil_gen.inventory.schema_router import RouterTierTable, TlsTable
from anvil_gen.inventory.schema_tier import HealthCheckTable
from anvil_gen.values import KeyPath, Number

GpuCount = int | Literal["all"]
"""GPUs without names: the first ones of the host, or all."""
ALL_ADDRESSES = "all"
"""A ``bind`` to every address of the host, IPv4 and IPv6."""


def is_one_address(bind: str | bool) -> bool:
    """Tell whether a ``bind`` names one address, and not every one or none."""
    return isinstance(bind, str) and bind not in (ALL_ADDRESSES, "0.0.0.0", "::")  # noqa: S104  compared, not bound


class Origin(Struct, frozen=True, kw_only=True):
    """Where a value was written: a layer's name, and the key path if that layer is the inventory."""

    layer: str
    path: KeyPath | None = None


class Options(Struct, frozen=True, kw_only=True):
    """The options of one table. None is an option without a value: what is left out is then left to the engine."""

    origins: Mapping[str, Origin]

    def origin(self, name: str) -> Origin:
        """Return the layer that gave an option its value."""
        return self.origins[name]

    def get(self, name: str) -> Any:
        """Return an option that is named by data; None if the table has no such option."""
        return getattr(self, name) if name in self.origins else None

    def path_of(self, name: str) -> KeyPath | None:
        """Return where the inventory sets an option; None if it does not, or the table has no such option."""
        return self.origins[name].path if name in self.origins else None

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all options."""
        return iter(self.origins)


class HostOptions(Options, frozen=True, kw_only=True):
    """Those of `[host]`."""

    name: str
    project: str
    target: str
    platform: str
    architecture: Architecture
    egress: str
    gpu_request: str
    output: str
    address: str | None
    proxy: str | None
    ca_file: str | None
    selinux: bool
    docker_context: str | None
    project_directory: str | None


class GpuOptions(Options, frozen=True, kw_only=True):
    """Those of a `[gpus.NAME]`; memory in MiB."""

    uuid: str | None
    index: int | None
    vendor: str
    memory_mib: int | None
    reserve_mib: int
    compute_capability: str | None


class ServerOptions(Options, frozen=True, kw_only=True):
    """Those that a tier and the experiment have in common.

    The options with a default here are a tier's alone: it stands for the experiment, which has none of them.
    """

    engine: str | None
    image: str | None
    port: int | None
    bind: str | Literal[False]
    container_name: str | Literal[False]
    served_name: str
    context_length: int | None
    gpu_memory_utilization: Number | int | None
    gpu_memory: str | None
    max_sequences: int | None
    kv_cache_dtype: str | None
    shm_size: str | Literal[False] | None
    ipc: str | Literal[False] | None
    restart: str | Literal[False]
    stop_grace_period: str | Literal[False]
    start_period: str | Literal[False]
    init: bool
    logging: LoggingTable | Literal[False] | None
    log_max_size: str
    log_max_files: int
    environment: Mapping[str, str | int | Literal[False]]
    flags: Mapping[str, Any]
    flag_check: bool
    mounts: Mapping[str, str | MountTable]
    task: str | None = None
    entrypoint: Sequence[str] | Literal[False] | None = None
    caches: bool = True
    command: Sequence[str] | None = None
    healthcheck: HealthCheckTable | Literal[False] | None = None
    container_port: int | None = None
    ports: Sequence[str | int] = ()
    build: str | Mapping[str, Any] | None = None
    env_file: Sequence[str | EnvFileTable] = ()
    pass_: Sequence[str] = ()
    networks: Sequence[str] | Mapping[str, NetworkTable] | None = None
    override: Mapping[str, Any] = {}

    gpus_key: ClassVar[str]
    """The option that names its GPUs."""

    @property
    def variables(self) -> Mapping[str, str | int]:
        """The environment that it sets: without what only removes a variable of the layers below."""
        return {name: value for name, value in self.environment.items() if value is not False}

    @property
    def named_gpus(self) -> list[tuple[KeyPath, str]]:
        """The names of the GPUs that it holds, each with its place in the table."""
        raise NotImplementedError

    @property
    def gpu_count(self) -> GpuCount | None:
        """How many GPUs it holds where they are not named."""
        return None


class TierOptions(ServerOptions, frozen=True, kw_only=True):
    """Those of a `[tiers.NAME]`."""

    gpus_key: ClassVar[str] = "gpus"
    replicas: int
    replica: int = 1  # which of them has these options
    service: str
    task: str
    served_names: Sequence[str] | None
    gpus: Sequence[str] | GpuCount
    tensor_parallel: int | None
    pipeline_parallel: int | None
    data_parallel: int | None
    expert_parallel: bool | int | None
    model: ModelTable | Literal[False] | None
    draft_model: WeightsTable | None
    mmproj: str | None
    lora: Mapping[str, str | AdapterTable]
    extra_arguments: str | None
    files: Mapping[str, str]
    standby: bool

    @property
    def named_gpus(self) -> list[tuple[KeyPath, str]]:
        """The names of the GPUs that it holds, each with its place in the table.

        Each of several replicas has the next of equal parts. What does not come out even is an error of its own.
        """
        named = () if isinstance(self.gpus, int | str) else self.gpus
        places: list[tuple[KeyPath, str]] = [(("gpus", index), name) for index, name in enumerate(named)]
        size, rest = divmod(len(named), self.replicas)
        return places if rest else places[size * (self.replica - 1) : size * self.replica]

    @property
    def gpu_count(self) -> GpuCount | None:
        """How many GPUs it holds where they are not named."""
        return self.gpus if isinstance(self.gpus, int) or self.gpus == "all" else None


class ExperimentOptions(ServerOptions, frozen=True, kw_only=True):
    """Those of `[experiment]`."""

    gpus_key: ClassVar[str] = "gpu"
    project: str
    port: int
    gpu: str | None

    @property
    def named_gpus(self) -> list[tuple[KeyPath, str]]:
        """The name of the GPU that it holds, with its place in the table."""
        return [] if self.gpu is None else [(("gpu",), self.gpu)]


class RouterOptions(Options, frozen=True, kw_only=True):
    """Those of `[router]`."""

    kind: str
    image: str | None
    service: str
    container_name: str | Literal[False]
    port: int
    bind: str | Literal[False]
    api_key_env: str | Sequence[str] | Mapping[str, str] | None
    api_key_sha256: Mapping[str, str]
    aliases: Mapping[str, str]
    fallbacks: Mapping[str, Sequence[str]]
    hosts: Sequence[str]
    hosts_ca: str
    default_tier: str | None
    timeout: str
    tiers: Mapping[str, RouterTierTable]
    body_limit: str | None
    metrics: int | str | None
    paths: Mapping[str, str]
    cors: Sequence[str]
    tls: TlsTable | None
    restart: str | Literal[False]
    stop_grace_period: str | Literal[False]
    init: bool
    logging: LoggingTable | Literal[False] | None
    log_max_size: str
    log_max_files: int
    mounts: Mapping[str, str | MountTable]
    networks: Sequence[str] | Mapping[str, NetworkTable] | None
    override: Mapping[str, Any]


class MonitoringOptions(Options, frozen=True, kw_only=True):
    """Those of `[monitoring]`."""

    existing: bool
    hosts: Sequence[str]
    bind: str | Literal[False]
    port: int
    grafana_port: int
    grafana_password_env: str
    retention: str
    textfile: str | None
    prometheus_image: str
    grafana_image: str
    host_image: str


ServiceOptions = TierOptions | ExperimentOptions | RouterOptions
"""Those of a table that becomes a service of its own."""
