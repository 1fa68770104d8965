"""Frozen values that the stages hand on: parsed once at the border, with every field present."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.resolve.options import ExperimentOptions, RouterOptions, TierOptions
from anvil_gen.values import ComposeText, Number, Text, concat

ROOT_FILE = "docker-compose.yml"
"""The default mode's root file, which Compose finds by itself."""
DEFAULT_MODE = "default"
"""How a person names the default mode."""
FILE_LABEL = "anvil-gen.file."
"""Prefix of the labels that carry the digest of a generated file which the service mounts."""
_FILE_VARIABLE = "ROUTER_FILE_"
"""Prefix of the variables that carry the digest of a router's file, for the service that reloads the router."""
HEALTH_FILE = "router/health.json"
"""What a router that reloads answers at /health: the digest of each of its files."""
ENV_EXAMPLE_FILE = ".env.example"
EXPERIMENT_FILE = "docker-compose.experiment.yml"
VARIABLE_LABEL = "anvil-gen.trial."
"""Prefix of the labels that carry the variables which a trial was started with."""
TRIAL_VARIABLES = {
    "MODEL": "The model to try: a repository of the hub.",
    "SERVED_NAME": "The name that it answers to.",
    "PORT": "The port, in the container and on the host alike.",
    "GPU_UUID": "The card to try it on.",
    "EXTRA_ARGS": "Further arguments of the engine, as in a shell line.",
}
"""What drives the slot, each with its meaning."""


def file_variable(name: str) -> str:
    """Return the variable with the digest of a router's file: ``ROUTER_FILE_haproxy_cfg``."""
    return _FILE_VARIABLE + name.replace(".", "_")


def file_of_variable(variable: str) -> str:
    """Return the file whose digest a variable has; an empty text for any other variable."""
    stem, _, suffix = variable.removeprefix(_FILE_VARIABLE).rpartition("_")
    return f"{stem}.{suffix}" if variable.startswith(_FILE_VARIABLE) else ""


class Gpu(Struct, frozen=True, kw_only=True):
    """A GPU. Memory in MiB; None where the inventory does not set it."""

    name: str
    uuid: str
    vendor: str
    memory_mib: int | None
    reserve_mib: int
    compute_capability: str | None


class EnvVar(Struct, frozen=True, kw_only=True):
    """One environment entry of a service; ``reason`` becomes the comment above it."""

    name: str
    value: Text | None  # None: passed on from the shell or `.env`, by name only
    reason: str = ""


class Mount(Struct, frozen=True, kw_only=True):
    """A bind mount of a host folder (``volume`` false) or a named volume."""

    source: str
    target: str
    volume: bool = False
    external: bool = False
    read_only: bool = False
    selinux: str | None = None
    create: bool = False  # the host's folder, where it does not exist


Networks = Mapping[str, Any] | tuple[str, ...]
"""The networks that a service is on, as Compose's own key has them: names, or a table of each."""


class Declared(Struct, frozen=True, kw_only=True):
    """The volumes and networks that a file has to declare, in Compose's own keys, by name."""

    volumes: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, Mapping[str, Any]]


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


class Reservation(Struct, frozen=True, kw_only=True):
    """The GPUs of one service, all of one vendor."""

    vendor: str
    uuids: tuple[Text, ...]


class Service(Struct, frozen=True, kw_only=True):
    """One compose service, ready to be laid out by a template.

    ``shell_words`` is the command as words of one string, for the service whose command Compose itself has to split.
    """

    name: str
    container_name: Text | None  # None: Compose's own
    image: Text
    entrypoint: tuple[str, ...]
    command: tuple[Text, ...]
    shell_words: tuple[ComposeText, ...]
    environment: tuple[EnvVar, ...]
    ports: tuple[Port, ...]
    further_ports: tuple[str, ...]  # in Compose's short form
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
    override: Mapping[str, Any]  # Compose keys that have the last word, in Compose's own form
    override_declared: Declared  # what they need besides


class TreeFile(Struct, frozen=True, kw_only=True):
    """A file that is copied into the deploy tree as it is."""

    path: str  # in the tree
    text: str


class ExtraService(Struct, frozen=True, kw_only=True):
    """A further service of the host, in Compose's own keys and form."""

    name: str
    mapping: Mapping[str, Any]
    declared: Declared
    files: tuple[TreeFile, ...]
    sealed: bool = False


class Tier(Struct, frozen=True, kw_only=True):
    """One model server: the service, and what a router or a client must know of it."""

    name: str
    engine: str
    task: str
    served_name: str
    names: tuple[str, ...]  # the served name, and further ones that the engine is given
    port: int  # on the host
    container_port: int
    context_length: int | None
    tool_support: bool = False
    health_path: str = ""
    api_base: str = ""
    hub_cache: str = ""  # the folder of the shared cache in its container
    root_file: str  # the tree's root file that runs it
    model: str  # the engine's argument for the model; empty without one
    files: tuple[TreeFile, ...]
    gpus: tuple[Gpu, ...]
    share: Number | None  # of each GPU, as a fraction
    service: Service
    options: TierOptions


class Route(Struct, frozen=True, kw_only=True):
    """A name that clients may ask for, and the tier that answers; the name is empty for a request that has none."""

    name: str
    tier: str
    task: str
    how: str  # "served" by its own name, "rewritten" by the router, "told" to the engine, or one that takes "any"

    @property
    def pattern(self) -> str:
        """The name as a regular expression."""
        return re.escape(self.name)


class NameCheck(Struct, frozen=True, kw_only=True):
    """How a router's check sees which tier answers: the path, and a regular expression that the answer matches."""

    path: str
    pattern: str


class Upstream(Struct, frozen=True, kw_only=True):
    """A tier as its router sees it; ``timeout`` in seconds."""

    tier: Tier
    timeout: int
    concurrency: int | None
    fallbacks: tuple[Tier, ...]
    check: NameCheck | None = None  # where another tier listens on the same port


class Client(Struct, frozen=True, kw_only=True):
    """Somebody who may use the models: a name for the log, and the variable that holds the key."""

    name: str
    variable: str


class Tls(Struct, frozen=True, kw_only=True):
    """The host's files with which the router serves HTTPS."""

    certificate: str
    key: str


class RouterLimits(Struct, frozen=True, kw_only=True):
    """What the router keeps to, of whichever kind it is."""

    timeout: int  # seconds
    body_limit: int | None  # bytes; None where the router has a limit of its own
    body_buffer: int | None  # bytes that hold the largest request with its headers
    metrics_port: int | None
    metrics_key: bool
    tls: Tls | None
    sealed: bool  # its tiers are on an internal network, and it is on that too


class RouterMessages(Struct, frozen=True, kw_only=True):
    """What a router says of models by itself."""

    unknown_model: str  # lists what there is
    no_model: str  # likewise, for a request that names none


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
    further_ports: tuple[str, ...]
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
    alias_tasks: tuple[str, ...]
    routes: tuple[Route, ...]
    nameless: tuple[Route, ...]  # where a request without a model goes, by task
    messages: RouterMessages
    reloads: bool  # by a service next to it, without a restart
    mounts: tuple[Mount, ...]  # besides those that its template has
    networks: Networks
    declared: Declared
    override: Mapping[str, Any]
    override_declared: Declared
    variables: Mapping[str, Any]
    options: RouterOptions

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
        """The variable of the first client's key."""
        return self.clients[0].variable if self.clients else None


class Mode(Struct, frozen=True, kw_only=True):
    """A set of tiers that runs together. The default mode's ``name`` is empty.

    ``router`` routes to this mode's tiers; ``router_file`` is its service in the tree.
    """

    name: str
    root_file: str
    tiers: tuple[Tier, ...]
    router: Router | None
    router_file: str

    @property
    def title(self) -> str:
        """How a person names it."""
        return self.name or DEFAULT_MODE


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


class Variable(Struct, frozen=True, kw_only=True):
    """An environment variable that the rendered tree reads."""

    name: str
    comment: str
    file: str  # the rendered file that reads it
    standing: bool = False  # set once in `.env`, and not for each command


class Stack(Struct, frozen=True, kw_only=True):
    """Everything that one inventory says, resolved."""

    host: str
    project: str
    platform: str
    inventory: str  # as the headers name it
    gpus: tuple[Gpu, ...]
    tiers: tuple[Tier, ...]
    services: tuple[ExtraService, ...]
    modes: tuple[Mode, ...]  # the default mode first
    router: Router | None  # of the default mode
    experiment: Experiment | None
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
