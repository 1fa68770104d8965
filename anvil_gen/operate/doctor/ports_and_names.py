"""Checks that ports and container names are free."""

from __future__ import annotations

from collections.abc import Iterator

from anvil_gen.machine.conflicts import Conflict, Publishers, name_conflict, port_conflict, publishes
from anvil_gen.machine.containers import Container
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.requirements import Requirements


def check_names(context: DoctorContext) -> Iterator[Check]:
    """Check for other containers with the name of a service's container."""
    for required in context.requirements if context.docker_info.is_available else ():
        what = f"name of {required.name}"
        other = next((one for one in context.containers if one.name == required.container_name), None)
        if other is None or _is_own(context, required, other) or other.id in context.leaving:
            yield Check(what=what, found=f"{required.container_name} {'is free' if other is None else 'is its own'}")
            continue
        conflict = name_conflict(context.docker, other)
        if _is_of_another_mode(context, other):
            yield _of_another_mode(context, required, "container_name", conflict)
            continue
        remedy = with_commands(
            "remove it (its volumes are kept), then start this service",
            conflict.command,
            f"anvil-gen up {context.deployment.stack.host} {required.name}",
        )
        yield failed(
            what,
            "container-name-is-taken",
            conflict.detail,
            remedy,
            at=context.place(*required.table, "container_name"),
        )


def _is_own(context: DoctorContext, required: Requirements, one: Container) -> bool:
    return (one.project, one.service) == (context.deployment.project.name, required.service)


def check_ports(context: DoctorContext) -> Iterator[Check]:
    """Check the ports that services publish; processes of another machine are not seen from here."""
    ports = [port for required in context.requirements for _, port in required.ports]
    publishers = Publishers(context.docker, ports if context.docker_info.is_available else ())
    for required in context.requirements:
        for host, port in required.ports:
            what = f"port of {required.name}"
            holder = publishers.at(host, port) or _on_its_way(context, required, host, port)
            if holder is not None:
                yield _held_by_container(context, required, holder, host, port)
                continue
            state = context.port_state(host, port) if context.docker_info.local else "free"
            if state == "free":
                yield Check(what=what, found=f"{host}:{port}" + (" is free" if context.docker_info.local else ""))
            elif state == "taken":
                yield _held_by_process(context, required, port)
            else:
                detail = f"this host has no address {host} to publish on"
                remedy = with_commands("use one of its addresses", "ip -brief address")
                yield failed(what, "no-such-address", detail, remedy, at=context.place(*required.table, "bind"))


def _on_its_way(context: DoctorContext, required: Requirements, host: str, port: int) -> Container | None:
    """Return the service's own container that publishes a port, between two runs of which nobody lists it."""
    return next(
        (
            one
            for one in context.containers
            if _is_own(context, required, one) and one.state in ("restarting", "running") and publishes(one, host, port)
        ),
        None,
    )


def _held_by_container(context: DoctorContext, required: Requirements, one: Container, host: str, port: int) -> Check:
    what = f"port of {required.name}"
    if _is_own(context, required, one) or one.id in context.leaving:
        return Check(what=what, found=f"{host}:{port} is its own")
    conflict = port_conflict(context.docker, one, port)
    if one.project != context.deployment.project.name:
        return _port_taken(context, required, conflict)
    return _of_another_mode(context, required, "port", conflict)


def _is_of_another_mode(context: DoctorContext, one: Container) -> bool:
    running = [required.service for required in context.requirements]
    others = [tier.service.name for tier in context.deployment.stack.tiers if tier.service.name not in running]
    return one.project == context.deployment.project.name and one.service in others


def _of_another_mode(context: DoctorContext, required: Requirements, key: str, conflict: Conflict) -> Check:
    """Return the warning of what a service of another mode has: `up` of this mode removes its container first."""
    what, code = _CLAIMS[key]
    remedy = with_commands(
        "switch to this mode, which stops everything else",
        f"anvil-gen up {context.deployment.stack.host} --mode {context.mode.title}",
    )
    detail = f"{conflict.detail}, which is not part of this mode"
    at = context.place(*required.table, key)
    return failed(f"{what} of {required.name}", code, detail, remedy, at=at, severity="warning")


_CLAIMS = {"container_name": ("name", "container-name-is-taken"), "port": ("port", "port-is-taken")}
"""What of a container nothing else can have -> how a check is called, and the code of its failure."""


def _held_by_process(context: DoctorContext, required: Requirements, port: int) -> Check:
    proc = context.root / "proc"
    return _port_taken(context, required, port_conflict(context.docker, None, port, proc=proc, system=context.system))


def _port_taken(context: DoctorContext, required: Requirements, conflict: Conflict) -> Check:
    remedy = with_commands("stop it, or publish another port", conflict.command)
    at = context.place(*required.table, "port")
    return failed(f"port of {required.name}", "port-is-taken", conflict.detail, remedy, at=at)
