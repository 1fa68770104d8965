"""Why services did not come up: facts that are looked up, whatever Compose said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from anvil_gen.diagnostics import Diagnostic
from anvil_gen.doctor.card_checks import NONE_LISTED, check_cards, check_runtimes
from anvil_gen.doctor.check import Check, of_severity
from anvil_gen.doctor.claim_checks import check_names, check_ports
from anvil_gen.doctor.container_checks import check_networks, check_paused
from anvil_gen.doctor.image_checks import unobtainable
from anvil_gen.doctor.machine_checks import check_docker, check_env_file, check_remote, check_variables
from anvil_gen.doctor.storage_checks import check_mounts, check_volumes
from anvil_gen.doctor.subject import Subject
from anvil_gen.operate.deployment import Deployment
from anvil_gen.resolve.model import Mode


def causes_of(deployment: Deployment, mode: Mode, services: Iterable[str] = ()) -> list[Diagnostic]:
    """Return what keeps services of a mode from running (all of it for none); empty where nothing is found."""
    return causes(Subject(deployment, mode, services))


def causes(subject: Subject) -> list[Diagnostic]:
    """Return what keeps the examined services from running, what is certain first."""
    if subject.engine.fault is not None:
        return [subject.engine.fault]
    faults = [check.fault for check in _looked_at(subject) if check.fault is not None]
    errors = [fault for fault in faults if fault.severity == "error"]
    certain = [fault for fault in errors if fault.summary != NONE_LISTED]
    # A machine may list no card only because its program is not on this PATH.
    return certain or errors or faults


def _looked_at(subject: Subject) -> Iterator[Check]:
    yield from (check for check in check_docker(subject) if check.verdict == "fail")
    yield from check_remote(subject)
    yield from check_env_file(subject)
    yield from (check for check in check_variables(subject) if check.verdict == "fail")
    yield from (check for check in check_mounts(subject) if check.verdict == "fail")
    yield from check_volumes(subject)
    yield from unobtainable(subject)
    yield from check_names(subject)
    yield from check_paused(subject)
    yield from check_networks(subject)
    for check in check_ports(subject):
        # Another mode's container is in the way by now.
        yield of_severity(check, "error")
    yield from check_cards(subject)
    yield from check_runtimes(subject)
