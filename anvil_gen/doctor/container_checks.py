"""Whether a service's own container keeps it from being started: Compose goes on with the one that is there."""

from __future__ import annotations

from collections.abc import Iterator

from anvil_gen.doctor.check import Check, by_command, wrong
from anvil_gen.doctor.subject import Subject
from anvil_gen.machine.containers import Container


def check_paused(subject: Subject) -> Iterator[Check]:
    """Look for containers that somebody has paused: Compose can neither start them nor leave them alone."""
    for name, one in _own(subject):
        if one.state == "paused":
            detail = f"{one.name} is paused: it holds its cards and its port, and answers nothing"
            remedy = by_command("let it go on", subject.docker.typed("unpause", one.name))
            yield wrong(f"container of {name}", "container is paused", detail, remedy)


def check_networks(subject: Subject) -> Iterator[Check]:
    """Look for stopped containers whose network has gone, by name and id: a new one of that name does not count."""
    wanted = {name: _networks(one) for name, one in _own(subject) if not one.running}
    if not any(wanted.values()):
        return
    listed = subject.docker.run("network", "ls", "--quiet", "--no-trunc")
    there = set(listed.stdout.split())
    for name, networks in wanted.items() if listed.returncode == 0 else ():
        gone = [network for network, number in networks.items() if number not in there]
        if gone:
            host = subject.deployment.stack.host
            detail = f"{', '.join(gone)} has gone since, as by `docker network prune`, and the container cannot start"
            remedy = by_command("make it anew", f"anvil-gen down {host} {name}", f"anvil-gen up {host} {name}")
            yield wrong(f"container of {name}", "network has gone", detail, remedy)


def _own(subject: Subject) -> Iterator[tuple[str, Container]]:
    """Yield each service's own container, by the inventory's name of the service."""
    project = subject.deployment.project.name
    for wanted in subject.wants:
        for one in subject.containers:
            if (one.project, one.service) == (project, wanted.service):
                yield wanted.name, one


def _networks(one: Container) -> dict[str, str]:
    """Return the ids of the networks that a container is to be attached to, by their names."""
    networks = (one.raw.get("NetworkSettings") or {}).get("Networks") or {}
    return {name: said["NetworkID"] for name, said in networks.items() if (said or {}).get("NetworkID")}
