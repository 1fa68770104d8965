"""Why services did not start: checked independently of what Compose printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from anvil_gen.diagnostics import Diagnostic
from anvil_gen.operate.deployment import Deployment
from anvil_gen.operate.doctor.cached_models import check_cached_models
from anvil_gen.operate.doctor.check import Check, with_severity
from anvil_gen.operate.doctor.containers import check_external_networks, check_networks, check_paused
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.environment import check_docker, check_env_file, check_remote, check_variables
from anvil_gen.operate.doctor.gpus import NONE_LISTED, check_gpus, check_runtimes
from anvil_gen.operate.doctor.host import check_host
from anvil_gen.operate.doctor.images import nowhere, unobtainable
from anvil_gen.operate.doctor.mounts import check_mounts, check_volumes
from anvil_gen.operate.doctor.ports_and_names import check_names, check_ports
from anvil_gen.resolve.model import Mode

_BEFORE = (
    check_host,
    check_variables,
    check_mounts,
    check_cached_models,
    check_volumes,
    check_external_networks,
    nowhere,
    check_gpus,
    check_names,
)
_OBSTACLES = {
    *("variable-is-not-set", "missing-external-volume", "missing-external-network", "image-cannot-be-pulled"),
    *("missing-model-folder", "missing-model-file", "empty-model-folder", "weights-were-not-fetched"),
    *("podman-gives-no-gpus", "jetson-without-its-runtime"),
    *("link-out-of-the-mount", "model-is-incomplete", "model-config-is-missing", "model-is-not-in-the-cache"),
    *("missing-folder", "missing-file", "container-name-is-taken", "port-is-taken", "gpu-not-found"),
}
"""What no wait and no guess changes; a host may list no GPU only because the program is not on the PATH."""


def diagnose(deployment: Deployment, mode: Mode, services: Iterable[str] = ()) -> list[Diagnostic]:
    """Return what keeps services of a mode from running (all services for none); empty if nothing is found."""
    return causes(DoctorContext(deployment, mode, services))


def obstacles(context: DoctorContext) -> list[Diagnostic]:
    """Return what would keep the checked services from starting, for certain; Docker and engines get what they can."""
    if context.docker_info.diagnostic is not None:
        return [context.docker_info.diagnostic]
    checks = [check for run_check in _BEFORE for check in run_check(context)]
    # A container of another mode that stays where it is, is a conflict.
    checks += [with_severity(check, "error") for check in check_ports(context)]
    found = (check.diagnostic for check in checks if check.diagnostic is not None)
    return [diagnostic for diagnostic in found if diagnostic.severity == "error" and diagnostic.code in _OBSTACLES]


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
    yield from check_host(context)
    yield from check_remote(context)
    yield from check_env_file(context)
    yield from (check for check in check_variables(context) if check.verdict == "fail")
    yield from (check for check in check_mounts(context) if check.verdict == "fail")
    yield from (check for check in check_cached_models(context) if check.verdict == "fail")
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
