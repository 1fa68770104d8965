"""Why services did not start: checked independently of what Compose printed."""

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
    """Return what keeps services of a mode from running (all services for none); empty if nothing is found."""
    return causes(DoctorContext(deployment, mode, services))


def outdated(deployment: Deployment) -> list[Diagnostic]:
    """Return what is wrong with Docker and Compose themselves, of which a command's own words say nothing."""
    context = DoctorContext(deployment, deployment.mode(None), ())
    return [check.diagnostic for check in check_docker(context) if check.diagnostic is not None]


def causes(context: DoctorContext) -> list[Diagnostic]:
    """Return what keeps the checked services from running: certain causes if there are any."""
    if context.docker_info.diagnostic is not None:
        return [context.docker_info.diagnostic]
    diagnostics = [check.diagnostic for check in _checks(context) if check.diagnostic is not None]
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"]
    certain = [diagnostic for diagnostic in errors if diagnostic.code != NONE_LISTED]
    # A host may list no GPU only because the program that lists them is not on the PATH.
    return certain or errors or diagnostics


def _checks(context: DoctorContext) -> Iterator[Check]:
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
        # By now another mode's container is a conflict.
        yield with_severity(check, "error")
    yield from check_gpus(context)
    yield from check_runtimes(context)
