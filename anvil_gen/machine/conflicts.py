"""What occupies a container name or a port that a service needs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from anvil_gen.machine.containers import Container, container_listing
from anvil_gen.machine.docker import Docker
from anvil_gen.machine.ownership import is_of_another_inventory, stop_command
from anvil_gen.machine.ports import describe_holder, is_taken

_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104  compared, not bound


class Conflict(Struct, frozen=True, kw_only=True):
    """What occupies a name or port, and the command that removes it; ``container`` is None for another process."""

    detail: str
    command: str
    container: Container | None = None


class Publishers:
    """The running containers of any project that publish certain ports."""

    def __init__(self, docker: Docker, ports: Iterable[int]) -> None:
        """Query Docker, unless there are no ports.

        Raises:
            DiagnosticError: Docker does not answer.
        """
        filters = [f"publish={port}" for port in dict.fromkeys(ports)]
        self._found = container_listing(docker, *filters) if filters else []

    def at(self, host: str, port: int) -> Container | None:
        """Return the container that publishes an address of the host; None where none does."""
        return next((one for one in self._found if publishes(one, host, port)), None)


def publishes(one: Container, host: str, port: int) -> bool:
    """Tell whether a container publishes an address of the host while it runs."""
    return any(
        number == port and (address == host or address in _EVERY_ADDRESS or host in _EVERY_ADDRESS)
        for address, number in one.published
    )


def name_conflict(docker: Docker, one: Container) -> Conflict:
    """Return the conflict with a container whose name another one needs."""
    detail = f'a container named "{one.name}" exists already, {_origin(one)} ({one.image}, {one.state})'
    foreign = is_of_another_inventory(one)
    command = stop_command(docker, one) if foreign else docker.shell_command("rm", "--force", one.name)
    return Conflict(detail=detail, command=command, container=one)


def port_conflict(
    docker: Docker,
    one: Container | None,
    port: int,
    *,
    proc: Path = Path("/proc"),
    system: str = sys.platform,
) -> Conflict:
    """Return the conflict over a port that a container publishes, or, for None, another process of this machine."""
    if one is not None:
        detail = f"port {port} is in use by the container {one.name}, {_origin(one)}"
        return Conflict(detail=detail, command=docker.shell_command("stop", one.name), container=one)
    process, command = describe_holder(port, proc=proc, system=system)
    return Conflict(detail=f"port {port} is in use by {process}", command=command)


def taken_ports(docker: Docker, addresses: Iterable[tuple[str, int]]) -> Iterator[Conflict]:
    """Yield what holds those of some addresses of this machine that are taken; queries Docker only if one is.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    taken = [(host, port) for host, port in addresses if is_taken(host, port)]
    publishers = Publishers(docker, (port for _, port in taken))
    for host, port in taken:
        yield port_conflict(docker, publishers.at(host, port), port)


def _origin(one: Container) -> str:
    if not one.project:
        return "created without Compose"
    return f"of the compose project {one.project}" + (f" in {one.project_folder}" if one.project_folder else "")
