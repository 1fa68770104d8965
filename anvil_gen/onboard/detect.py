"""Detects the facts of a machine that belong in an inventory, through its programs, its kernel and Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.docker_conditions import docker_conditions
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.fields import NAME_LENGTH, Platform
from anvil_gen.machine.docker import Docker
from anvil_gen.machine.docker_info import IMAGE_ARCHITECTURES, DockerInfo, docker_info
from anvil_gen.machine.gpus import DetectedGpu, GpuListing
from anvil_gen.machine.host_conditions import holds
from anvil_gen.machine.ports import free_port, is_taken
from anvil_gen.machine.ssh import over_ssh
from anvil_gen.machine.subprocesses import Answer, Run, run_program
from anvil_gen.machine.system import Machine, inspect_machine, platform_of
from anvil_gen.onboard.local_models import ModelFolder, find_hub_cache, find_models
from anvil_gen.patterns import lazy_pattern

if TYPE_CHECKING:
    from anvil_gen.catalog.catalog import Catalog

_ANYWHERE = "192.0.2.1"
"""An address that nobody has."""
_SMALLEST_MIB = 2048
_VOLUME = lazy_pattern(r"hf[-_.]?(hub[-_.]?)?cache|hugging[-_.]?face", re.IGNORECASE)


class MachineAccess(Struct, frozen=True, kw_only=True):
    """How a machine is accessed: this machine, a remote one, or a fake one.

    ``root`` is None if the machine's files cannot be read from here.
    """

    run: Run = run_program
    docker: Docker
    root: Path | None = Path("/")
    home: Path | None = None
    environment: Mapping[str, str] = {}
    system: str = sys.platform
    hostname: str = ""
    address: str = ""
    """Its address in its network; empty where it is not known."""
    taken: Callable[[str, int], bool] = is_taken
    which: Callable[[str], str | None] = shutil.which


def this_machine(docker: Docker) -> MachineAccess:
    """Return the access to this machine, with a Docker client."""
    home = os.path.expanduser("~")  # noqa: PTH111  stays as it is without a home
    return MachineAccess(
        docker=docker,
        home=Path(home) if home != "~" else None,
        environment=dict(os.environ),
        hostname=socket.gethostname(),
        address=_own_address(),
    )


def _own_address() -> str:
    """Return the address that this machine has in its network; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((_ANYWHERE, 9))
        except OSError:  # it is in none
            return ""
        return str(asked.getsockname()[0])


def machine_of(docker: Docker) -> MachineAccess:
    """Return the access to the machine that Docker runs on: this one, or a remote one.

    Programs of a remote machine run over SSH, if its Docker is reached by SSH; its files are not seen from here.

    Raises:
        DiagnosticError: the context that was named is not known.
    """
    try:
        is_remote = docker.is_remote
    except DiagnosticError:
        if docker.context is not None:
            raise
        is_remote = False  # without a `docker` nothing is remote
    if not is_remote:
        return this_machine(docker)
    run = over_ssh(docker.endpoint) or _unreachable
    name = run(("hostname",)).stdout.strip() or docker.context or ""
    return MachineAccess(run=run, docker=docker, root=None, hostname=name, system="linux", which=_which_over(run))


def _which_over(run: Run) -> Callable[[str], str | None]:
    return lambda program: program if run((program, "--version")).code is not None else None


def _unreachable(_command: Sequence[str]) -> Answer:
    return Answer(stderr="programs of that machine cannot be run from here")


class ComposeProject(Struct, frozen=True, kw_only=True):
    """A project of Compose that runs already: its files, and how many of its containers do what."""

    name: str
    files: str
    status: str


class DetectedMachine(Struct, frozen=True, kw_only=True):
    """What was detected. Ports are the first free ones from the usual ports on."""

    name: str
    machine: Machine
    docker: DockerInfo
    volumes: tuple[str, ...]
    diagnostics: tuple[str, ...]
    """Why GPUs of a vendor could not be listed, although its program is installed."""
    models: ModelFolder | None
    hub_cache: Path | None
    router_port: int
    first_port: int
    architecture: str
    host_keys: Mapping[str, Any]
    """Keys of `[host]` without which nothing runs there."""
    address: str
    projects: tuple[ComposeProject, ...]

    @property
    def gpus(self) -> tuple[DetectedGpu, ...]:
        """The GPUs that a model may run on: none that reports nothing, and no small one integrated in a CPU."""
        return tuple(
            gpu
            for gpu in self.machine.gpus
            if (gpu.name or gpu.memory_mib) and (gpu.memory_mib is None or gpu.memory_mib >= _SMALLEST_MIB)
        )

    @property
    def platform(self) -> Platform | None:
        """The platform that containers run on, by Docker's kernel if known."""
        return platform_of(self.docker.kernel) if self.docker.is_available else self.machine.platform

    @property
    def memory_mib(self) -> int | None:
        """The machine's main memory."""
        return self.machine.memory_mib or int(self.docker.info.get("MemTotal") or 0) >> 20 or None

    @property
    def cache_volume(self) -> str:
        """The volume that looks like the Hugging Face cache; empty without one."""
        return next((name for name in self.volumes if _VOLUME.search(name)), "")


def detect(catalog: Catalog, at: MachineAccess, *, router_port: int, first_port: int) -> DetectedMachine:
    """Return what a machine has; the search for free ports starts with the given ones."""
    nowhere = Path("/nonexistent")
    docker = docker_info(at.docker)
    volumes = at.docker.run("volume", "ls", "--format", "{{.Name}}").stdout.split() if docker.is_available else []
    machine = inspect_machine(catalog, run=at.run, root=at.root or nowhere, system=at.system)
    found = DetectedMachine(
        name=machine_name(at.hostname),
        machine=machine,
        docker=docker,
        volumes=tuple(volumes),
        diagnostics=tuple(listing.diagnostic for listing in machine.listings if listing_failed(listing, catalog, at)),
        models=find_models(root=at.root, home=at.home) if at.root is not None else None,
        hub_cache=find_hub_cache(at.environment, home=at.home) if at.root is not None else None,
        router_port=(free_port(router_port, taken=at.taken) or router_port) if at.root is not None else router_port,
        first_port=_free_pair(first_port, at.taken) if at.root is not None else first_port,
        architecture=_architecture(docker, at.run),
        host_keys={},
        address=at.address,
        projects=_projects(at.docker) if docker.is_available else (),
    )
    return replace(found, host_keys=_host_keys(found, catalog, at))


def _host_keys(found: DetectedMachine, catalog: Catalog, at: MachineAccess) -> dict[str, Any]:
    """Return what the known conditions of a host that hold there want of `[host]`."""
    root = at.root or Path("/nonexistent")
    vendors = {gpu.vendor for gpu in found.gpus}
    # Without Docker, the kernel is known all the same.
    kernel = DockerInfo(info={"KernelVersion": at.run(("uname", "-r")).stdout.strip()})
    docker = found.docker if found.docker.is_available else kernel
    met = [
        condition.unless
        for condition in docker_conditions(catalog)
        if condition.init and holds(condition, docker, vendors, lambda path: (root / path.lstrip("/")).exists())
    ]
    return {key: value for keys in met for key, value in keys.items()}


def _architecture(docker: DockerInfo, run: Run) -> str:
    """Return the processor, by the word of Docker or of the kernel; that of most machines where neither answers."""
    kernels = run(("uname", "-m")).stdout.strip()
    return docker.architecture or IMAGE_ARCHITECTURES.get(kernels, "amd64")


def _projects(docker: Docker) -> tuple[ComposeProject, ...]:
    """Return the projects of Compose that have running containers."""
    try:
        listed = json.loads(docker.run("compose", "ls", "--format", "json").stdout)
    except ValueError:
        return ()
    return tuple(
        ComposeProject(name=str(one["Name"]), files=str(one["ConfigFiles"]), status=str(one["Status"]))
        for one in (listed if isinstance(listed, list) else ())
    )


def listing_failed(listing: GpuListing, catalog: Catalog, at: MachineAccess) -> bool:
    """Tell whether a vendor's GPUs could not be listed, although its program is installed."""
    data = catalog.vendor(listing.vendor)
    programs = [one.command[0] for one in data.listing] if data is not None else []
    return bool(listing.diagnostic) and not listing.gpus and any(map(at.which, programs))


def machine_name(hostname: str) -> str:
    """Return a host name for the inventory: lower-case letters, digits, `_` and `-`; "box" if nothing is left."""
    short = hostname.partition(".")[0].lower()
    return re.sub(r"[^a-z0-9_-]+", "-", short).strip("-_")[:NAME_LENGTH] or "box"


def _free_pair(first: int, taken: Callable[[str, int], bool]) -> int:
    """Return the first port from ``first`` on that is free together with the next one."""
    port = free_port(first, taken=taken)
    while port is not None and taken("127.0.0.1", port + 1):
        port = free_port(port + 2, taken=taken)
    return port or first
