"""Frozen values that the stages hand on: parsed once at the border, with every field present."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.resolve.gpu_model import Gpu, GpuRequest, Reservation
from anvil_gen.resolve.group_model import TierRank
from anvil_gen.resolve.monitoring_model import Monitoring
from anvil_gen.resolve.options import ExperimentOptions, RouterOptions, TierOptions
from anvil_gen.resolve.root_files import DEFAULT_MODE
from anvil_gen.resolve.router_model import Client, OtherHosts, PathRoute, Route, RouterLimits, TierCheck
from anvil_gen.resolve.variables_model import Variable
from anvil_gen.values import ComposeText, KeyPath, Number, Text, concat

GROUP_LABEL = "anvil-gen.group"
"""Label of a rank: its group, and the digest of what the other ranks are."""
FILE_LABEL = "anvil-gen.file."
"""Prefix of the labels that carry the digest of a generated file which the service mounts."""
ENV_EXAMPLE_FILE = ".env.example"
EXPERIMENT_FILE = "docker-compose.experiment.yml"


class EnvVar(Struct, frozen=True, kw_only=True):
    """One environment entry of a service; ``reason`` becomes the comment above it."""

    name: str
    value: Text | None  # None: passed on from the shell or `.env`, by name only
    reason: str = ""


class EnvFile(Struct, frozen=True, kw_only=True):
    """A file of variables, relative to the rendered file; Compose reads it, and nothing else does."""

    path: str
    required: bool


class Mount(Struct, frozen=True, kw_only=True):
    """A bind mount of a host folder (``volume`` false) or a named volume."""

    source: str
    target: str
    volume: bool = False
    external: bool = False
    read_only: bool = False
    selinux: str | None = None
    create: bool = False  # the host's folder, where it does not exist
    propagation: str | None = None
    nocopy: bool = False
    subpath: str | None = None


Networks = Mapping[str, Any] | tuple[str, ...]
"""The networks that a service is on, as Compose's own key has them: names, or a table of each."""


class Declared(Struct, frozen=True, kw_only=True):
    """What a file has to declare at its top level, in Compose's own keys, by name."""

    volumes: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, Mapping[str, Any]]
    secrets: Mapping[str, Mapping[str, Any]] = {}
    configs: Mapping[str, Mapping[str, Any]] = {}


class Port(Struct, frozen=True, kw_only=True):
    """A published port: ``host:number:target``."""

    host: str  # as a port's short form spells it: an IPv6 address in brackets; empty for every address
    number: Text
    target: Text  # in the container

    @property
    def spec(self) -> Text:
        """The short form of Compose."""
        return concat(*((self.host, ":") if self.host else ()), self.number, ":", self.target)


class HealthCheck(Struct, frozen=True, kw_only=True):
    """A health check, in Compose's own terms; durations as Compose spells them. None is left to Compose."""

    test: tuple[Text, ...] = ()
    disable: bool | None = None
    interval: str | None = None
    timeout: str | None = None
    retries: int | None = None
    start_period: str | None = None
    start_interval: str | None = None


class Logging(Struct, frozen=True, kw_only=True):
    """Where a container's log goes, in Compose's own terms."""

    driver: str | None
    options: Mapping[str, Text]


class Service(Struct, frozen=True, kw_only=True):
    """One compose service, ready to be laid out by a template.

    ``shell_words`` is the command as words of one string, for the service whose command Compose itself has to split.
    """

    name: str
    container_name: Text | None  # None: Compose's own
    image: Text  # empty where it is built and has no name of its own
    build: Mapping[str, Any]  # in Compose's own form; empty where nothing is built
    entrypoint: tuple[str, ...]
    command: tuple[Text, ...]
    shell_words: tuple[ComposeText, ...]
    environment: tuple[EnvVar, ...]
    env_file: tuple[EnvFile, ...]
    ports: tuple[Port, ...]
    further_ports: tuple[Text, ...]  # in Compose's short form
    mounts: tuple[Mount, ...]
    networks: Networks  # empty for the default one alone
    declared: Declared
    sealed: bool  # on the internal network
    gpus: Reservation | None
    health: HealthCheck | None
    restart: str | None
    init: bool
    stop_grace_period: str | None
    shm_size: str | None
    ipc: str | None
    logging: Logging | None
    labels: tuple[tuple[str, Text], ...]
    group: str = ""  # what it carries of all ranks of its group
    override: Mapping[str, Any]  # Compose keys that have the last word, in Compose's own form
    override_declared: Declared  # what they need besides


class TreeFile(Struct, frozen=True, kw_only=True):
    """A file that is copied into the deploy tree as it is."""

    path: str  # in the tree
    text: str


class ExtraService(Struct, frozen=True, kw_only=True):
    """A further service of the host, in Compose's own keys and form."""

    name: str
    section: str = "services"  # the inventory's for it
    mapping: Mapping[str, Any]
    declared: Declared
    files: tuple[TreeFile, ...]
    standby: bool = False
    sealed: bool = False
    gpus: Reservation | None = None
    mounted: tuple[str, ...] = ()  # rendered files whose digests it carries

    @property
    def table(self) -> tuple[str, str]:
        """Where the inventory has it."""
        return (self.section, self.name)


class Tier(Struct, frozen=True, kw_only=True):
    """One model server: the service, and what a router or a client must know of it."""

    name: str
    replica_of: str = ""  # the tier that it is a further server of
    engine: str
    task: str
    served_name: str
    models: tuple[str, ...]  # what it serves, each by its own name: the served name first, and its adapters
    names: tuple[str, ...]  # the same, and further ones that the engine is given
    port: int  # on the host
    container_port: int
    context_length: int | None
    tool_support: bool = False
    health_path: str = ""
    api_base: str = ""
    hub_cache: str = ""  # the folder of the shared cache in its container
    root_file: str  # the tree's root file that runs it
    model: str  # the engine's argument for the model; empty without one
    repos: tuple[str, ...] = ()  # several models of one server, which are pulled
    files: tuple[TreeFile, ...]
    gpus: tuple[Gpu, ...]  # those that it names
    gpu_request: GpuRequest | None
    share: Number | None  # of each GPU, as a fraction
    service: Service
    options: TierOptions
    rank: TierRank | None = None  # of a tier that runs on several hosts

    @property
    def answers(self) -> bool:
        """Whether it answers requests: of a group, the head alone."""
        return self.rank is None or self.rank.is_head

    @property
    def nodes(self) -> int:
        """How many hosts serve its model."""
        return 1 if self.rank is None else len(self.rank.hosts)

    @property
    def address(self) -> str:
        """Where the router reaches it: its name on the project's network, or the host's address."""
        return (self.rank.address if self.rank is not None else None) or self.service.name

    @property
    def group(self) -> str:
        """The inventory's name for it and its replicas."""
        return self.replica_of or self.name

    @property
    def table(self) -> KeyPath:
        """Where the inventory has it."""
        return ("tiers", self.group)

    @property
    def profiles(self) -> tuple[str, ...]:
        """Compose's profiles without which it does not start."""
        written = self.service.override.get("profiles")
        return tuple(map(str, written)) if isinstance(written, list) else ()

    def may_hold(self, gpu: Gpu) -> bool:
        """Tell whether it holds a GPU, or may."""
        return self.gpu_request is not None and self.gpu_request.may_hold(gpu)


class Upstream(Struct, frozen=True, kw_only=True):
    """A tier as its router sees it; ``timeout`` in seconds."""

    tier: Tier
    replicas: tuple[Tier, ...] = ()  # further servers of the tier
    timeout: int
    concurrency: int | None  # of each server
    fallbacks: tuple[Tier, ...]
    sticky: str | None = None  # the header whose requests stay at one server
    check: TierCheck | None = None  # where a connection alone does not tell that it serves

    @property
    def servers(self) -> tuple[Tier, ...]:
        """The servers of the tier."""
        return (self.tier, *self.replicas)


_SHORTEST_DRAIN = 3600


class Router(Struct, frozen=True, kw_only=True):
    """The router.

    ``image`` is None where the image is built from the generated context; ``stack`` is the project's name without the
    prefix that the router wants of it; ``omitted`` are files of its tree that are of no use here, a folder with its
    slash; ``variables`` come from the router's data file, for its own templates.
    """

    kind: str
    service: str
    container_name: str | None
    image: Text | None
    port: int
    ports: tuple[Port, ...]
    further_ports: tuple[Text, ...]
    clients: tuple[Client, ...]
    limits: RouterLimits
    restart: str | None
    init: bool
    stop_grace_period: str | None
    logging: Logging | None
    health: HealthCheck
    stack: str
    omitted: tuple[str, ...]
    tiers: tuple[Tier, ...]  # those that it routes to
    upstreams: tuple[Upstream, ...]  # the same
    others: OtherHosts
    alias_tasks: tuple[str, ...]
    routes: tuple[Route, ...]
    paths: tuple[PathRoute, ...]  # none where it has a list of its own
    form_routes: tuple[Route, ...]  # of tiers that are sent forms, where a model is named otherwise than in JSON
    reloads: bool  # by a service next to it, without a restart
    mounts: tuple[Mount, ...]  # besides those that its template has
    networks: Networks
    declared: Declared
    override: Mapping[str, Any]
    override_declared: Declared
    variables: Mapping[str, Any]
    options: RouterOptions

    @property
    def routes_by_tier(self) -> tuple[tuple[Route, ...], ...]:
        """The routes of each tier, in the order of the tiers' first ones."""
        tiers = dict.fromkeys(route.tier for route in self.routes)
        return tuple(tuple(route for route in self.routes if route.tier == tier) for tier in tiers)

    @property
    def sealed(self) -> bool:
        """Whether it is on the internal network of sealed tiers."""
        return self.limits.sealed

    @property
    def longest_drain(self) -> int:
        """The seconds that a process may finish its requests: as long as for the most patient tier, an hour at least.

        A timeout is about a tier that says nothing: a stream may last longer.
        """
        return max([_SHORTEST_DRAIN, self.limits.timeout, *(upstream.timeout for upstream in self.upstreams)])

    @property
    def reload_service(self) -> str:
        """The service that reloads it, where there is one."""
        return f"{self.service}-reload"

    @property
    def reload_container_name(self) -> str | None:
        """The name of that service's container."""
        return None if self.container_name is None else f"{self.container_name}-reload"

    @property
    def api_key_env(self) -> str | None:
        """The variable of the first client's key; None where there are no keys, or digests of them alone."""
        return next(iter(self.key_variables), None)

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The variables that hold keys of clients."""
        return tuple(client.variable for client in self.clients if client.variable)

    @property
    def digest_clients(self) -> tuple[Client, ...]:
        """The clients that are known by the digests of their keys."""
        return tuple(client for client in self.clients if client.digest)


class Mode(Struct, frozen=True, kw_only=True):
    """A set of tiers and services that runs together. The default mode's ``name`` is empty.

    ``router`` routes to this mode's tiers; ``router_file`` is its service in the tree.
    """

    name: str
    root_file: str
    tiers: tuple[Tier, ...]
    services: tuple[ExtraService, ...]
    router: Router | None
    router_file: str

    @property
    def title(self) -> str:
        """How a person names it."""
        return self.name or DEFAULT_MODE

    @property
    def together(self) -> tuple[tuple[Tier, ...], ...]:
        """The tiers that one profile of Compose starts next to those without: who starts several, means to."""
        profiles = dict.fromkeys(profile for tier in self.tiers for profile in tier.profiles)
        sets = (tuple(one for one in self.tiers if not one.profiles or name in one.profiles) for name in profiles)
        return tuple(sets) or (self.tiers,)


class Experiment(Struct, frozen=True, kw_only=True):
    """The one-off slot: a project and a service of its own."""

    project: str
    root_file: str
    engine: str
    port: int
    share: Number | None  # of its GPU, as a fraction
    service: Service
    neighbours: tuple[str, ...]  # services of the tiers that hold its GPU too
    options: ExperimentOptions


class Stack(Struct, frozen=True, kw_only=True):
    """Everything that one inventory says, resolved."""

    host: str
    project: str
    project_directory: str = ""  # where paths of tiers and services are from, as the tree has it; else their folders
    platform: str
    selinux: bool = False  # files of the tree are labelled for containers
    inventory: str  # as the headers name it
    gpus: tuple[Gpu, ...]
    tiers: tuple[Tier, ...]
    services: tuple[ExtraService, ...]
    modes: tuple[Mode, ...]  # the default mode first
    router: Router | None  # of the default mode
    experiment: Experiment | None
    monitoring: Monitoring | None = None
    variables: tuple[Variable, ...]

    @property
    def copied_files(self) -> tuple[TreeFile, ...]:
        """The files that are copied into the tree."""
        folders = [one.files for one in self.tiers] + [one.files for one in self.services]
        return tuple(file for files in folders for file in files)


class Tree(Struct, frozen=True, kw_only=True):
    """A rendered deploy tree: texts, and their parsed data, by path; paths relative with ``/``, in a stable order."""

    files: Mapping[str, str]
    data: Mapping[str, Any]
