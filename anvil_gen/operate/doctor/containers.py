"""Checks for a container of a service that keeps it from starting: Compose reuses an existing one."""

from __future__ import annotations

from collections.abc import Iterator

from anvil_gen.machine.containers import Container
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext


def check_paused(context: DoctorContext) -> Iterator[Check]:
    """Check for paused containers: Compose can neither start nor ignore them."""
    for name, one in _own(context):
        if one.state == "paused":
            detail = f"{one.name} is paused: it keeps its GPUs and its port, but does not respond"
            remedy = with_commands("resume it", context.docker.shell_command("unpause", one.name))
            yield failed(f"container of {name}", "container-is-paused", detail, remedy)


def check_networks(context: DoctorContext) -> Iterator[Check]:
    """Check for stopped containers whose network was removed, by name and id: a new one of that name does not count."""
    required = {name: _networks(one) for name, one in _own(context) if not one.running}
    if not any(required.values()):
        return
    listed = context.docker.run("network", "ls", "--quiet", "--no-trunc")
    existing = set(listed.stdout.split())
    for name, networks in required.items() if listed.returncode == 0 else ():
        missing = [network for network, number in networks.items() if number not in existing]
        if missing:
            host = context.deployment.stack.host
            detail = f"{', '.join(missing)} was removed, as by `docker network prune`: the container cannot start"
            remedy = with_commands("recreate it", f"anvil-gen down {host} {name}", f"anvil-gen up {host} {name}")
            yield failed(f"container of {name}", "network-was-removed", detail, remedy)


def check_external_networks(context: DoctorContext) -> Iterator[Check]:
    """Check for each external network, on the machine that Docker runs on."""
    needed = dict.fromkeys(name for required in context.requirements for name in required.networks)
    listed = context.docker.run("network", "ls", "--format", "{{.Name}}") if needed else None
    if listed is None or listed.returncode != 0:
        return
    for name in needed:
        if name in listed.stdout.split():
            yield Check(what=f"network {name}", found="exists")
            continue
        users = ", ".join(required.name for required in context.requirements if name in required.networks)
        detail = f"the network {name}, which {users} is on, does not exist"
        remedy = with_commands("create it", context.docker.shell_command("network", "create", name))
        yield failed(f"network {name}", "missing-external-network", detail, remedy, at=context.place("networks"))


def _own(context: DoctorContext) -> Iterator[tuple[str, Container]]:
    """Yield each service's own container, by the inventory's name of the service."""
    project = context.deployment.project.name
    for required in context.requirements:
        for one in context.containers:
            if (one.project, one.service) == (project, required.service):
                yield required.name, one


def _networks(one: Container) -> dict[str, str]:
    """Return the ids of the networks that a container is attached to when it starts, by their names."""
    networks = (one.raw.get("NetworkSettings") or {}).get("Networks") or {}
    return {name: network["NetworkID"] for name, network in networks.items() if (network or {}).get("NetworkID")}
