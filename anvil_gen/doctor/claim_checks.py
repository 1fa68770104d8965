"""Whether what only one container of a machine can have is free: ports and container names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from anvil_gen.doctor.check import Check, by_command, wrong
from anvil_gen.doctor.subject import Subject
from anvil_gen.doctor.wants import Wanted
from anvil_gen.model import DEFAULT_MODE
from anvil_gen.operate.containers import Container, container_listing
from anvil_gen.probe.ports import port_state, who_holds

_WORKING_FOLDER = "com.docker.compose.project.working_dir"


def check_names(subject: Subject) -> Iterator[Check]:
    """Look for containers that have a service's name, and are not that service's."""
    for wanted in subject.wants if subject.engine.answers else ():
        what = f"name of {wanted.name}"
        other = next((one for one in subject.containers if one.name == wanted.container_name), None)
        if other is None or _is_own(subject, wanted, other):
            yield Check(what=what, found=f"{wanted.container_name} {'is free' if other is None else 'is its own'}")
            continue
        detail = f'a container named "{other.name}" is there already, {_made_by(other)} ({other.image}, {other.state})'
        remedy = by_command(
            "to take its place, remove it (its volumes stay), and bring this one up",
            subject.typed("rm", "--force", other.name),
            f"anvil-gen up {subject.deployment.stack.host} {wanted.name}",
        )
        yield wrong(what, "container name is taken", detail, remedy, at=subject.place(*wanted.table, "container_name"))


def _is_own(subject: Subject, wanted: Wanted, one: Container) -> bool:
    return (one.project, one.service) == (subject.deployment.project.name, wanted.service)


def _made_by(one: Container) -> str:
    if not one.project:
        return "made by hand, without Compose"
    folder = (one.raw["Config"].get("Labels") or {}).get(_WORKING_FOLDER)
    return f"of the compose project {one.project}" + (f" in {folder}" if folder else "")


def check_ports(subject: Subject) -> Iterator[Check]:
    """Look for who has a port that a service publishes; ports of another machine are not seen from here."""
    holders = _publishers(subject)
    for wanted in subject.wants:
        for host, port in wanted.ports:
            what = f"port of {wanted.name}"
            holder = _held(holders, host, port)
            if holder is not None:
                yield _held_by_container(subject, wanted, holder, host, port)
                continue
            state = port_state(host, port) if subject.engine.local else "free"
            if state == "free":
                yield Check(what=what, found=f"{host}:{port}" + (" is free" if subject.engine.local else ""))
            elif state == "taken":
                yield _held_by_process(subject, wanted, port)
            else:
                detail = f"this machine has no address {host} to publish on"
                remedy = by_command("write one that it has", "ip -brief address")
                yield wrong(what, "no such address", detail, remedy, at=subject.place(*wanted.table, "bind"))


def _publishers(subject: Subject) -> Mapping[int, list[Container]]:
    """Return the running containers by the ports that they publish."""
    found: dict[int, list[Container]] = {}
    ports = [port for wanted in subject.wants for _, port in wanted.ports]
    if subject.engine.answers and ports:
        for one in container_listing(subject.docker, *(f"publish={port}" for port in ports)):
            for _, port in one.published:
                found.setdefault(port, []).append(one)
    return found


def _held(holders: Mapping[int, list[Container]], host: str, port: int) -> tuple[Container, str] | None:
    every = ("", "0.0.0.0", "::")  # noqa: S104  compared, not bound
    for one in holders.get(port, ()):
        at = next((address for address, number in one.published if number == port), "")
        if at == host or at in every or host in every:
            return one, at
    return None


def _held_by_container(subject: Subject, wanted: Wanted, holder: tuple[Container, str], host: str, port: int) -> Check:
    one, _ = holder
    what, project = f"port of {wanted.name}", subject.deployment.project.name
    if _is_own(subject, wanted, one):
        return Check(what=what, found=f"{host}:{port} is its own")
    detail = f"{port} is held by the container {one.name}, {_made_by(one)}"
    at = subject.place(*wanted.table, "port")
    if one.project == project:
        mode = subject.mode.name or DEFAULT_MODE
        remedy = by_command(
            "switch to this mode, which stops what is not in it",
            f"anvil-gen up {subject.deployment.stack.host} --mode {mode}",
        )
        return wrong(what, "port is taken", f"{detail}, which is not in this mode", remedy, at=at, severity="warning")
    remedy = by_command("stop it, or publish another port", subject.typed("stop", one.name))
    return wrong(what, "port is taken", detail, remedy, at=at)


def _held_by_process(subject: Subject, wanted: Wanted, port: int) -> Check:
    process, command = who_holds(port, proc=subject.root / "proc", system=subject.system)
    remedy = by_command("stop it, or publish another port", command)
    at = subject.place(*wanted.table, "port")
    return wrong(f"port of {wanted.name}", "port is taken", f"{port} is held by {process}", remedy, at=at)
