"""Whether a service's own container keeps it from being started: Compose goes on with the one that is there."""

from __future__ import annotations

from collections.abc import Iterator

from anvil_gen.machine.containers import Container
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext


def check_paused(context: DoctorContext) -> Iterator[Check]:
    """Look for containers that somebody has paused: Compose can neither start them nor leave them alone."""
    for name, one in _own(context):
        if one.state == "paused":
            detail = f"{one.name} is paused: it holds its cards and its port, and answers nothing"
            remedy = with_commands("let it go on", context.docker.typed("unpause", one.name))
            yield failed(f"container of {name}", "container is paused", detail, remedy)


def check_networks(context: DoctorContext) -> Iterator[Check]:
    """Look for stopped containers whose network has gone, by name and id: a new one of that name does not count."""
    required = {name: _networks(one) for name, one in _own(context) if not one.running}
    if not any(required.values()):
        return
    listed = context.docker.run("network", "ls", "--quiet", "--no-trunc")
    there = set(listed.stdout.split())
    for name, networks in required.items() if listed.returncode == 0 else ():
        gone = [network for network, number in networks.items() if number not in there]
        if gone:
            host = context.deployment.stack.host
            detail = f"{', '.join(gone)} has gone since, as by `docker network prune`, and the container cannot start"
            remedy = with_commands("make it anew", f"anvil-gen down {host} {name}", f"anvil-gen up {host} {name}")
            yield failed(f"container of {name}", "network has gone", detail, remedy)


def _own(context: DoctorContext) -> Iterator[tuple[str, Container]]:
    """Yield each service's own container, by the inventory's name of the service."""
    project = context.deployment.project.name
    for required in context.requirements:
        for one in context.containers:
            if (one.project, one.service) == (project, required.service):
                yield required.name, one


def _networks(one: Container) -> dict[str, str]:
    """Return the ids of the networks that a container is to be attached to, by their names."""
    networks = (one.raw.get("NetworkSettings") or {}).get("Networks") or {}
    return {name: said["NetworkID"] for name, said in networks.items() if (said or {}).get("NetworkID")}
