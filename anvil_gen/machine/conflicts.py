"""Who has already what only one container of a machine can have: a container name, or a port."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from anvil_gen.machine.containers import Container, container_listing
from anvil_gen.machine.docker import Docker
from anvil_gen.machine.ports import is_taken, who_holds

_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104  compared, not bound


class Conflict(Struct, frozen=True, kw_only=True):
    """What is in the way, and the command that moves it; ``container`` is None for any other process."""

    detail: str
    command: str
    container: Container | None = None


class Publishers:
    """The running containers that publish some ports, whatever project they are of."""

    def __init__(self, docker: Docker, ports: Iterable[int]) -> None:
        """Ask Docker for them, where there are ports.

        Raises:
            DiagnosticError: Docker does not answer.
        """
        filters = [f"publish={port}" for port in dict.fromkeys(ports)]
        self._found = container_listing(docker, *filters) if filters else []

    def at(self, host: str, port: int) -> Container | None:
        """Return the container that has an address of the machine; None where none has it."""
        for one in self._found:
            for address, number in one.published:
                if number == port and (address == host or address in _EVERY_ADDRESS or host in _EVERY_ADDRESS):
                    return one
        return None


def name_conflict(docker: Docker, one: Container) -> Conflict:
    """Return what is to be said of a container whose name another one is to have."""
    detail = f'a container named "{one.name}" is there already, {_made_by(one)} ({one.image}, {one.state})'
    return Conflict(detail=detail, command=docker.typed("rm", "--force", one.name), container=one)


def port_conflict(
    docker: Docker,
    one: Container | None,
    port: int,
    *,
    proc: Path = Path("/proc"),
    system: str = sys.platform,
) -> Conflict:
    """Return what is to be said of a port that a container publishes, or a process of this machine has for None."""
    if one is not None:
        detail = f"port {port} is held by the container {one.name}, {_made_by(one)}"
        return Conflict(detail=detail, command=docker.typed("stop", one.name), container=one)
    process, command = who_holds(port, proc=proc, system=system)
    return Conflict(detail=f"port {port} is held by {process}", command=command)


def taken_ports(docker: Docker, addresses: Iterable[tuple[str, int]]) -> Iterator[Conflict]:
    """Yield what has those of some addresses of this machine that are taken; Docker is asked only where one is.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    taken = [(host, port) for host, port in addresses if is_taken(host, port)]
    publishers = Publishers(docker, (port for _, port in taken))
    for host, port in taken:
        yield port_conflict(docker, publishers.at(host, port), port)


def _made_by(one: Container) -> str:
    if not one.project:
        return "made by hand, without Compose"
    return f"of the compose project {one.project}" + (f" in {one.project_folder}" if one.project_folder else "")
