"""The context of all checks: services of a host's mode, their requirements, and the facts of the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import generator
from anvil_gen.inventory.fields import Platform
from anvil_gen.inventory.toml_file import Document
from anvil_gen.machine.containers import Container, ContainerQuery
from anvil_gen.machine.docker import Docker
from anvil_gen.machine.docker_info import DockerInfo, docker_info
from anvil_gen.machine.dotenv import variables
from anvil_gen.machine.gpus import GpuListing, list_gpus
from anvil_gen.machine.ports import PortState, port_state
from anvil_gen.machine.subprocesses import Run, run_program
from anvil_gen.machine.system import platform_of, platform_of_machine
from anvil_gen.operate.deployment import Deployment
from anvil_gen.operate.doctor.check import Place
from anvil_gen.operate.doctor.requirements import Requirements, requirements_of, slot_requirements
from anvil_gen.resolve.model import Mode, Tree
from anvil_gen.values import address


class DoctorContext:
    """Services of a mode on a machine; each fact is queried once, when it is first needed."""

    def __init__(
        self,
        deployment: Deployment,
        mode: Mode,
        services: Iterable[str] = (),
        *,
        run: Run = run_program,
        root: Path = Path("/"),
        system: str = sys.platform,
        shell: Mapping[str, str] | None = None,
        port_state: Callable[[str, int], PortState] = port_state,
        with_slot: bool = False,
        leaving: Collection[str] = (),
    ) -> None:
        """Check the given services of a mode, or all of them for none, on a machine.

        ``with_slot``: the requirements of the experiment slot are checked too. ``leaving`` are the ids of containers
        that give up their names and ports before anything is started.
        """
        self.deployment = deployment
        self.mode = mode
        self.run, self.root, self.system = run, root, system
        self.port_state = port_state
        self._services = set(services)
        self._shell = shell
        self._with_slot = with_slot
        self.leaving = leaving

    @property
    def docker(self) -> Docker:
        """The Docker of the host."""
        return self.deployment.project.docker

    @property
    def catalog(self) -> Catalog:
        """The catalog of engines and GPUs."""
        return self.deployment.host.catalog

    @property
    def inventory(self) -> str:
        """The path of the inventory, for messages."""
        return self.deployment.host.path.as_posix()

    @cached_property
    def docker_info(self) -> DockerInfo:
        """The facts of Docker."""
        return docker_info(self.docker)

    @cached_property
    def values(self) -> Mapping[str, str]:
        """The values of variables."""
        return variables(self.deployment.project.folder, self._shell)

    @cached_property
    def requirements(self) -> list[Requirements]:
        """The requirements of each service."""
        every = requirements_of(self.deployment.stack, self.mode, self._tree, self.values, self.deployment.host.output)
        return [one for one in every if not self._services or one.service in self._services]

    @cached_property
    def storage_requirements(self) -> list[Requirements]:
        """The requirements for files, volumes and images, of each service and of the experiment slot."""
        if not self._with_slot:
            return self.requirements
        slot = slot_requirements(self.deployment.stack, self._tree, self.values, self.deployment.host.output)
        return [*self.requirements, slot] if slot is not None else self.requirements

    @cached_property
    def _tree(self) -> Tree:
        host = self.deployment.host
        return generator().render(host.path, output=host.output).tree

    @cached_property
    def containers(self) -> list[Container]:
        """The containers of the project, and those that have a name of its services; none without Docker."""
        if not self.docker_info.is_available:
            return []
        names = [one.container_name for one in self.requirements]
        return ContainerQuery(self.docker, self.deployment.project.name, names).containers()

    @cached_property
    def platform(self) -> Platform | None:
        """The platform that containers run on, by the kernel of Docker; without Docker, by this machine's."""
        if self.docker_info.kernel:
            return platform_of(self.docker_info.kernel)
        return platform_of_machine(root=self.root, system=self.system) if self.docker_info.local else None

    def place(self, *path: str | int) -> Place:
        """Return where the inventory sets a key."""
        return Place(address(path), Document(self.deployment.host.path).location(path))

    def listing(self, vendor: str) -> GpuListing:
        """Return the GPUs of a vendor on this machine."""
        if vendor not in self._listings:
            data = self.catalog.vendor(vendor)
            listed = (
                GpuListing(vendor=vendor) if data is None else list_gpus(vendor, data, run=self.run, root=self.root)
            )
            self._listings[vendor] = listed
        return self._listings[vendor]

    @cached_property
    def _listings(self) -> dict[str, GpuListing]:
        return {}
