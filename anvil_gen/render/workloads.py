"""The services of a host as a target's templates are given them: what the compose files say, in plain values.

They are read from the parsed compose files, which are known to hold what the model says: every word of a command, every
variable and every mount is Compose's own.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Container as Names
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.image_kind import RunAs
from anvil_gen.resolve.compose_keys import by_name
from anvil_gen.resolve.model import Tier
from anvil_gen.text.units import parse_duration, parse_size
from anvil_gen.values import Interpolation, VariableText, compose_text, split_compose_text

_ROOT_HOME = "/root/"
_NO_NEW_PRIVILEGES = "no-new-privileges:true"


class Variable(Struct, frozen=True, kw_only=True):
    """A variable of a container; None is a value that is kept elsewhere, by the variable's name."""

    name: str
    value: str | None


class MountedPlace(Struct, frozen=True, kw_only=True):
    """A mount: what of a `Store` is where. `source` is the host's folder, a volume, or a file of the tree.

    Of one that is `each`, every pod has a volume of its own.
    """

    store: str
    source: str
    target: str
    kind: Literal["host", "volume", "each", "file"] = "host"
    sub_path: str = ""
    read_only: bool = False


class Probe(Struct, frozen=True, kw_only=True):
    """How it is seen whether a container serves: by a request where `path` is set, else by a command. In seconds."""

    path: str
    port: int
    command: tuple[str, ...]
    shell: bool
    interval: int
    timeout: int
    retries: int
    start_period: int


class Container(Struct, frozen=True, kw_only=True):
    """One container, in the values of its compose service; memory in bytes, 0 where nothing is said."""

    name: str
    unit: str  # its name among all of the machine, where the target has such
    container_name: str
    devices: tuple[str, ...]
    resource: tuple[str, int] | None  # GPUs that are counted and not named
    image: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: tuple[Variable, ...]
    mounts: tuple[MountedPlace, ...]
    ports: tuple[str, ...]
    probe: Probe | None
    user: int | None
    group: int | None
    home: str  # a folder of its own for it; empty for the image's
    read_only: bool
    no_new_privileges: bool
    security_options: tuple[str, ...]  # the others
    cap_add: tuple[str, ...]
    cap_drop: tuple[str, ...]
    scratch: tuple[str, ...]  # folders that are kept in memory, or nowhere
    memory: int
    memory_request: int
    cpus: str
    ulimits: tuple[str, ...]  # NAME=SOFT:HARD
    shared_memory: int | None  # bytes of /dev/shm, 0 for no limit; None for the usual one
    ipc: str
    init: bool
    restart: str
    stop_signal: str
    stop_seconds: int
    with_service: str  # whose network and shared memory it has

    @property
    def test(self) -> str:
        """The health check as Podman takes it, a list of JSON; empty where there is none.

        Podman splits a list that begins with CMD at its spaces; it adds that word itself, but to a list of one.
        """
        if self.probe is None:
            return ""
        words = self.probe.command
        alone = [] if len(words) > 1 else ["CMD-SHELL", *(words if self.probe.shell else map(shlex.quote, words))]
        return json.dumps(alone or words, ensure_ascii=False)

    @property
    def program(self) -> str:
        """The entrypoint as a list of JSON; empty for the image's."""
        return json.dumps(self.entrypoint, ensure_ascii=False) if self.entrypoint else ""

    @property
    def scratch_folders(self) -> tuple[str, ...]:
        """Where its scratch folders are, without Compose's options."""
        return tuple(one.partition(":")[0] for one in self.scratch)

    @property
    def restarts(self) -> str:
        """When systemd starts it again."""
        policy = self.restart.partition(":")[0]
        return policy if policy in ("no", "on-failure") else "always"

    @property
    def words(self) -> tuple[str, ...]:
        """The whole command line."""
        return (*self.entrypoint, *self.command)


def literal(value: object) -> str:
    """Return a text of a compose file as a container gets it: a variable as its default."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "".join(_literal(part) for part in split_compose_text(str(value)))


def _literal(part: str | Interpolation) -> str:
    return part if isinstance(part, str) else literal(part.word) if part.has_default else ""


def with_pod_variables(value: Any, names: Names[str]) -> Any:
    """Return values of a compose service with variables that each pod has between NULs, which nothing else has."""
    if isinstance(value, Mapping):
        return {key: with_pod_variables(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [with_pod_variables(item, names) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    return "".join(
        f"\0{part.name}\0"
        if isinstance(part, Interpolation) and part.name in names
        else compose_text(VariableText((part,)))
        for part in split_compose_text(value)
    )


class Given(Struct, frozen=True, kw_only=True):
    """What of a container is not in its compose service."""

    mounts: tuple[MountedPlace, ...]
    image: str
    unit: str
    tier: Tier | None = None
    run_as: RunAs | None = None  # where the service says nobody
    resource: tuple[str, int] | None = None
    devices: tuple[str, ...] = ()  # the GPUs, by what a container engine calls them
    has_own_check: bool = False  # a health check that is not the engine's


def container(name: str, service: Mapping[str, Any], given: Given) -> Container:
    """Return the container of a compose service, whose keys are as a compose file has them."""
    run_as = given.run_as
    user, group = _user(service.get("user"), run_as)
    home = run_as.home if run_as is not None and "user" not in service else ""
    shared = service.get("shm_size")
    options = [_NO_NEW_PRIVILEGES if one == "no-new-privileges" else one for one in _texts(service.get("security_opt"))]
    is_shared = str(service.get("ipc", "")).startswith(("host", "shareable", "service:"))
    return Container(
        name=name,
        unit=given.unit,
        container_name=literal(service.get("container_name", "")) or given.unit,
        devices=(*given.devices, *_texts(service.get("devices"))),
        resource=given.resource,
        image=given.image,
        entrypoint=_texts(service.get("entrypoint")),
        command=_texts(service.get("command")),
        environment=tuple(_environment(by_name(service.get("environment", {})), home)),
        mounts=tuple(_moved(mount, home) for mount in given.mounts),
        ports=_texts(service.get("ports")),
        probe=_probe(service.get("healthcheck"), given),
        user=user,
        group=group,
        home=home,
        read_only=bool(service.get("read_only")),
        no_new_privileges=_NO_NEW_PRIVILEGES in options,
        security_options=tuple(option for option in options if option != _NO_NEW_PRIVILEGES),
        cap_add=_texts(service.get("cap_add")),
        cap_drop=_texts(service.get("cap_drop")),
        scratch=_texts(service.get("tmpfs")),
        memory=_size(service.get("mem_limit")),
        memory_request=_size(service.get("mem_reservation")),
        cpus=literal(service.get("cpus", "")),
        ulimits=tuple(_ulimits(service.get("ulimits") or {})),
        shared_memory=_size(shared) if shared is not None else 0 if is_shared else None,
        ipc=literal(service.get("ipc", "")),
        init=bool(service.get("init")),
        restart=literal(service.get("restart", "no")),
        stop_signal=literal(service.get("stop_signal", "")),
        stop_seconds=_seconds(service.get("stop_grace_period", "10s")),
        with_service=literal(service.get("network_mode", "")).removeprefix("service:"),
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(literal, value)) if isinstance(value, list) else () if value is None else (literal(value),)


def _size(value: Any) -> int:
    return 0 if value is None else int(parse_size(literal(value)))


def _ulimits(limits: Mapping[str, Any]) -> Iterator[str]:
    for name, limit in limits.items():
        both = (limit["soft"], limit["hard"]) if isinstance(limit, Mapping) else (limit, limit)
        yield f"{name}={literal(both[0])}:{literal(both[1])}"


def _seconds(value: Any) -> int:
    return max(1, round(parse_duration(literal(value))))


def _user(said: Any, run_as: RunAs | None) -> tuple[int | None, int | None]:
    if said is None:
        return (run_as.user, run_as.group) if run_as is not None else (None, None)
    user, _, group = literal(said).partition(":")
    return (int(user) if user.isdigit() else None), (int(group) if group.isdigit() else None)


def _environment(variables: Mapping[str, Any], home: str) -> list[Variable]:
    found = [
        Variable(name=name, value=None if value is None else _at_home(literal(value), home))
        for name, value in variables.items()
    ]
    return [Variable(name="HOME", value=home), *found] if home and "HOME" not in variables else found


def _moved(mount: MountedPlace, home: str) -> MountedPlace:
    return replace(mount, target=_at_home(mount.target, home))


def _at_home(text: str, home: str) -> str:
    """Return a path of root's home as it is in another one."""
    return f"{home}/{text.removeprefix(_ROOT_HOME)}" if home and text.startswith(_ROOT_HOME) else text


def _probe(health: Mapping[str, Any] | None, given: Given) -> Probe | None:
    """Return a health check; by a request where it is the engine's own."""
    test = _texts(health.get("test")) if health is not None else ()
    if health is None or health.get("disable") or test[:1] == ("NONE",):
        return None
    tier = given.tier
    asks = tier is not None and not given.has_own_check and bool(tier.health_path)
    return Probe(
        path=tier.health_path if tier is not None and asks else "",
        port=tier.container_port if tier is not None else 0,
        command=test[1:],
        shell=test[:1] == ("CMD-SHELL",),
        interval=_seconds(health.get("interval", "30s")),
        timeout=_seconds(health.get("timeout", "30s")),
        retries=int(literal(health.get("retries", 3))),
        start_period=_seconds(health.get("start_period", "30s")),
    )
