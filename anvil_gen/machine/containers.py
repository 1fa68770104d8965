"""The containers of a machine, as Docker describes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine.docker import Docker, parse_json, wait_output
from anvil_gen.patterns import lazy_pattern

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_HASH = "com.docker.compose.config-hash"
_ONE_OFF = "com.docker.compose.oneoff"
_COMPOSE = "com.docker.compose.version"
_FOLDER = "com.docker.compose.project.working_dir"
_FILES = "com.docker.compose.project.config_files"
_REPLACES = "com.docker.compose.replace"
_RUNNING = "running"
_TEMPORARY_NAME = lazy_pattern(r"[0-9a-f]{12}_")


class Container(Struct, frozen=True, kw_only=True):
    """One container: what it runs, and from what it was created.

    ``state`` is Docker's (running, exited, restarting, created, paused, dead); ``health`` is None without a health
    check. Times are ISO 8601 in UTC, as Docker prints them. ``raw`` is the output of ``docker inspect``.
    ``image_moved``: the name of its image means another one now, or none.
    """

    id: str
    name: str
    project: str | None
    service: str | None
    state: str
    health: str | None
    exit_code: int
    restarts: int
    started_at: str
    image: str
    image_id: str
    config_hash: str | None
    compose_version: str | None
    raw: Mapping[str, Any]
    image_moved: bool = False

    @property
    def is_unfinished(self) -> bool:
        """Tell whether Compose was interrupted before this replacement of a container got its name and started."""
        labels = self.raw["Config"].get("Labels") or {}
        return self.state == "created" and _REPLACES in labels and _TEMPORARY_NAME.match(self.name) is not None

    @property
    def project_folder(self) -> str:
        """The folder that its compose project was run in; empty if Compose did not create it."""
        folder: str = (self.raw["Config"].get("Labels") or {}).get(_FOLDER) or ""
        return folder

    @property
    def root_file(self) -> str:
        """The name of the file that Compose was given when it created it; empty if Compose did not."""
        return next(iter(self.files), "").replace("\\", "/").rpartition("/")[2]

    @property
    def files(self) -> list[str]:
        """The files that Compose created it from; none if it did not."""
        files: str = (self.raw["Config"].get("Labels") or {}).get(_FILES) or ""
        return files.split(",") if files else []

    @property
    def running(self) -> bool:
        """Tell whether its first process is alive."""
        return self.state in ("running", "paused")

    @property
    def published(self) -> tuple[tuple[str, int], ...]:
        """The host addresses and ports that it publishes; for a range, the port that it was assigned while it runs."""
        assigned = (self.raw.get("NetworkSettings") or {}).get("Ports") or {}
        found = []
        for inside, address, port in self._bindings():
            ports = [port] if port.isdigit() else [one["HostPort"] for one in (assigned.get(inside) or ())[:1]]
            found += [(address, int(number)) for number in ports]
        return tuple(found)

    @property
    def asked_ports(self) -> tuple[str, ...]:
        """The host addresses and ports that it publishes, as ``address:port`` or ``address:first-last``."""
        return tuple(f"{address}:{port}" for _, address, port in self._bindings())

    @property
    def device_ids(self) -> tuple[str, ...]:
        """The GPUs that it was granted by name, as Docker was told them."""
        requests = self.raw["HostConfig"].get("DeviceRequests") or ()
        return tuple(uuid for request in requests for uuid in request.get("DeviceIDs") or ())

    @property
    def gpu_ids(self) -> tuple[str, ...]:
        """The UUIDs or indexes of the GPUs that it was granted by name; a CDI name has one after its `=`."""
        return tuple(one.rpartition("=")[2] for one in self.device_ids)

    @property
    def gpu_count(self) -> int:
        """The number of GPUs that it was granted without names: -1 for all."""
        requests = self.raw["HostConfig"].get("DeviceRequests") or ()
        return next((request["Count"] for request in requests if request.get("Count")), 0)

    def _bindings(self) -> Iterator[tuple[str, str, str]]:
        """Yield each binding: the port inside with its protocol, the host's address, and its port or range."""
        for inside, entries in (self.raw["HostConfig"].get("PortBindings") or {}).items():
            for entry in entries or ():
                if entry.get("HostPort"):
                    yield inside, entry.get("HostIp", ""), entry["HostPort"]


class ContainerQuery:
    """A query for the containers of a compose project, running or not, and for those with certain names.

    It starts at once and runs in the background until its `containers` are called for.
    """

    def __init__(
        self, docker: Docker, project: str, names: Iterable[str] = (), *, known: Iterable[Container] = ()
    ) -> None:
        """Start the query; of the ``known`` containers, those that still run are not inspected again."""
        self._docker = docker
        self._known = {one.id: one for one in known if one.state == _RUNNING}
        self._project = project
        self._names = sorted(set(names))
        self._found: list[Container] = []
        self._diagnostic: DiagnosticError | OSError | None = None
        # A thread, since a second query depends on the first. It ends with the process.
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def containers(self) -> list[Container]:
        """Return what was found.

        Raises:
            DiagnosticError: Docker does not answer.
        """
        self._thread.join()
        if self._diagnostic is not None:
            raise self._diagnostic
        return self._found

    def _run(self) -> None:
        try:
            self._found = self._query()
        except (DiagnosticError, OSError) as diagnostic:  # raised in `containers`
            self._diagnostic = diagnostic

    def _query(self) -> list[Container]:
        docker, filters = self._docker, of_project(self._project)
        listing = docker.popen("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.State}} {{.Image}}", *filters)
        # A name that no container has is reported on stderr, next to what was found.
        named = docker.popen("container", "inspect", *self._names) if self._names else None
        found = {raw["Id"]: raw for raw in parse_json((named.communicate()[0] if named else "") or "[]")}
        # An image whose name means another one now is listed by its id.
        listed = [f"{line}  ".split(" ", 2) for line in wait_output(listing).splitlines()]
        images = {one: image.strip() for one, _, image in listed}
        same = {one: self._known[one] for one, state, _ in listed if one in self._known and state == _RUNNING}
        others = [one for one in images if one not in found and one not in same]
        if others:
            # One that has been removed since is left out in the same way.
            inspected = parse_json(docker.run("container", "inspect", *others).stdout or "[]")
            found |= {raw["Id"]: raw for raw in inspected}
        moved = {one for one, raw in found.items() if images.get(one) == raw["Image"] != raw["Config"]["Image"]}
        new = [container(raw, image_moved=raw["Id"] in moved) for raw in found.values() if not _is_one_off(raw)]
        return [*same.values(), *new]


def _is_one_off(raw: Mapping[str, Any]) -> bool:
    return (raw["Config"].get("Labels") or {}).get(_ONE_OFF) == "True"


def of_project(project: str) -> tuple[str, str]:
    """Return the options by which ``docker ps`` lists the containers of a compose project."""
    return "--filter", f"label={_PROJECT}={project}"


def containers_named(docker: Docker, names: Iterable[str]) -> list[Container]:
    """Return the containers that have one of ``names``, whatever created them."""
    requested = sorted(set(names))
    printed = docker.run("container", "inspect", *requested).stdout if requested else ""
    return [container(raw) for raw in parse_json(printed or "[]")]


def container_listing(docker: Docker, *filters: str) -> list[Container]:
    """Return the running containers that match any of some filters of ``docker ps``.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    options = [word for one in filters for word in ("--filter", one)]
    found = docker.output("ps", "--quiet", "--no-trunc", *options).split()
    inspected = parse_json(docker.run("container", "inspect", *found).stdout or "[]") if found else []
    return [container(raw) for raw in inspected]


def container(raw: Mapping[str, Any], *, image_moved: bool = False) -> Container:
    """Return a container from the output of ``docker inspect``."""
    state, config = raw["State"], raw["Config"]
    labels = config.get("Labels") or {}
    return Container(
        id=raw["Id"],
        name=raw["Name"].removeprefix("/"),
        project=labels.get(_PROJECT),
        service=labels.get(_SERVICE),
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status"),
        exit_code=state.get("ExitCode", 0),
        restarts=raw.get("RestartCount", 0),
        started_at=state.get("StartedAt", ""),
        image=config["Image"],
        image_id=raw["Image"],
        config_hash=labels.get(_HASH),
        compose_version=labels.get(_COMPOSE),
        raw=raw,
        image_moved=image_moved,
    )


def moment(time: str) -> datetime:
    """Return a time that Docker prints, in UTC and whole seconds: no format of Python takes its nanoseconds."""
    return datetime.fromisoformat(time[:19]).replace(tzinfo=UTC)


def images_of(docker: Docker, references: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return the output of ``docker image inspect`` by the requested names or ids; missing ones are left out."""
    requested = sorted(set(references))
    if not requested:
        return {}
    found = parse_json(docker.run("image", "inspect", *requested).stdout or "[]")
    known: dict[str, Mapping[str, Any]] = {}
    for image in found:
        for name in (image["Id"], *(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())):
            known[name] = image
    return {name: known[full] for name in requested if (full := _full_name(name)) in known}


def image_digests(image: Mapping[str, Any]) -> tuple[str, ...]:
    """Return by what an image is known on any host: its id, and its digests in registries."""
    return (image["Id"], *(name.partition("@")[2] for name in image.get("RepoDigests") or ()))


def _full_name(reference: str) -> str:
    """Return an image's name as Docker lists it: with the tag that it assumes; with a digest, without a tag."""
    reference = reference.removeprefix("docker.io/").removeprefix("library/")
    name, at, digest = reference.partition("@")
    if at:
        return f"{re.sub(':[^:/]*$', '', name)}@{digest}"
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"
