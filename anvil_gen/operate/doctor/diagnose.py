"""Why services did not come up: facts that are looked up, whatever Compose said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from anvil_gen.diagnostics import Diagnostic
from anvil_gen.operate.deployment import Deployment
from anvil_gen.operate.doctor.check import Check, with_severity
from anvil_gen.operate.doctor.containers import check_networks, check_paused
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.environment import check_docker, check_env_file, check_remote, check_variables
from anvil_gen.operate.doctor.gpus import NONE_LISTED, check_gpus, check_runtimes
from anvil_gen.operate.doctor.images import unobtainable
from anvil_gen.operate.doctor.mounts import check_mounts, check_volumes
from anvil_gen.operate.doctor.ports_and_names import check_names, check_ports
from anvil_gen.resolve.model import Mode


def diagnose(deployment: Deployment, mode: Mode, services: Iterable[str] = ()) -> list[Diagnostic]:
    """Return what keeps services of a mode from running (all of it for none); empty where nothing is found."""
    return causes(DoctorContext(deployment, mode, services))


def causes(context: DoctorContext) -> list[Diagnostic]:
    """Return what keeps the examined services from running, what is certain first."""
    if context.docker_info.diagnostic is not None:
        return [context.docker_info.diagnostic]
    diagnostics = [check.diagnostic for check in _looked_at(context) if check.diagnostic is not None]
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
    certain = [diagnostic for diagnostic in errors if diagnostic.summary != NONE_LISTED]
    # A machine may list no card only because its program is not on this PATH.
    return certain or errors or diagnostics


def _looked_at(context: DoctorContext) -> Iterator[Check]:
    yield from (check for check in check_docker(context) if check.verdict == "fail")
    yield from check_remote(context)
    yield from check_env_file(context)
    yield from (check for check in check_variables(context) if check.verdict == "fail")
    yield from (check for check in check_mounts(context) if check.verdict == "fail")
    yield from check_volumes(context)
    yield from unobtainable(context)
    yield from check_names(context)
    yield from check_paused(context)
    yield from check_networks(context)
    for check in check_ports(context):
        # Another mode's container is in the way by now.
        yield with_severity(check, "error")
    yield from check_gpus(context)
    yield from check_runtimes(context)
