"""Whether what only one container of a machine can have is free: ports and container names."""

from __future__ import annotations

from collections.abc import Iterator

from anvil_gen.doctor.check import Check, by_command, wrong
from anvil_gen.doctor.subject import Subject
from anvil_gen.doctor.wants import Wanted
from anvil_gen.machine.conflicts import Conflict, Publishers, name_conflict, port_conflict
from anvil_gen.machine.containers import Container
from anvil_gen.machine.ports import port_state


def check_names(subject: Subject) -> Iterator[Check]:
    """Look for containers that have a service's name, and are not that service's."""
    for wanted in subject.wants if subject.engine.answers else ():
        what = f"name of {wanted.name}"
        other = next((one for one in subject.containers if one.name == wanted.container_name), None)
        if other is None or _is_own(subject, wanted, other):
            yield Check(what=what, found=f"{wanted.container_name} {'is free' if other is None else 'is its own'}")
            continue
        conflict = name_conflict(subject.docker, other)
        remedy = by_command(
            "to take its place, remove it (its volumes stay), and bring this one up",
            conflict.command,
            f"anvil-gen up {subject.deployment.stack.host} {wanted.name}",
        )
        yield wrong(
            what, "container name is taken", conflict.detail, remedy, at=subject.place(*wanted.table, "container_name")
        )


def _is_own(subject: Subject, wanted: Wanted, one: Container) -> bool:
    return (one.project, one.service) == (subject.deployment.project.name, wanted.service)


def check_ports(subject: Subject) -> Iterator[Check]:
    """Look for who has a port that a service publishes; ports of another machine are not seen from here."""
    ports = [port for wanted in subject.wants for _, port in wanted.ports]
    publishers = Publishers(subject.docker, ports if subject.engine.answers else ())
    for wanted in subject.wants:
        for host, port in wanted.ports:
            what = f"port of {wanted.name}"
            holder = publishers.at(host, port)
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


def _held_by_container(subject: Subject, wanted: Wanted, one: Container, host: str, port: int) -> Check:
    what = f"port of {wanted.name}"
    if _is_own(subject, wanted, one):
        return Check(what=what, found=f"{host}:{port} is its own")
    conflict = port_conflict(subject.docker, one, port)
    if one.project != subject.deployment.project.name:
        return _port_taken(subject, wanted, conflict)
    remedy = by_command(
        "switch to this mode, which stops what is not in it",
        f"anvil-gen up {subject.deployment.stack.host} --mode {subject.mode.title}",
    )
    detail = f"{conflict.detail}, which is not in this mode"
    at = subject.place(*wanted.table, "port")
    return wrong(what, "port is taken", detail, remedy, at=at, severity="warning")


def _held_by_process(subject: Subject, wanted: Wanted, port: int) -> Check:
    proc = subject.root / "proc"
    return _port_taken(subject, wanted, port_conflict(subject.docker, None, port, proc=proc, system=subject.system))


def _port_taken(subject: Subject, wanted: Wanted, conflict: Conflict) -> Check:
    remedy = by_command("stop it, or publish another port", conflict.command)
    at = subject.place(*wanted.table, "port")
    return wrong(f"port of {wanted.name}", "port is taken", conflict.detail, remedy, at=at)
