"""All that is looked at before a host is brought up, in the order in which it is mended."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from anvil_gen.doctor.card_checks import check_cards, check_runtimes, wanted_cards
from anvil_gen.doctor.check import Check, Verdict
from anvil_gen.doctor.claim_checks import check_names, check_ports
from anvil_gen.doctor.container_checks import check_networks, check_paused
from anvil_gen.doctor.disk_checks import check_disk
from anvil_gen.doctor.image_checks import check_images
from anvil_gen.doctor.machine_checks import (
    check_docker,
    check_env_file,
    check_inventory,
    check_platform,
    check_remote,
    check_tree,
    check_variables,
)
from anvil_gen.doctor.pin_proof import check_pins
from anvil_gen.doctor.storage_checks import check_mounts, check_volumes
from anvil_gen.doctor.subject import Subject


class Examination(Struct, frozen=True, kw_only=True):
    """The answer of ``anvil-gen doctor``; ``unchecked`` says what could not be looked at, and why."""

    host: str
    mode: str
    checks: tuple[Check, ...]
    unchecked: tuple[str, ...]

    def count(self, verdict: Verdict) -> int:
        """Return how many checks came out in one way."""
        return sum(check.verdict == verdict for check in self.checks)


ROSTER = (
    *(
        check_inventory,
        check_docker,
        check_platform,
        check_tree,
        check_remote,
        check_env_file,
        check_variables,
        check_mounts,
        check_volumes,
    ),
    *(check_images, check_disk, check_names, check_paused, check_networks, check_ports),
)


def examine(subject: Subject, *, probe: bool) -> Examination:
    """Look at all of it; with ``probe``, containers are started to see which cards they get."""
    checks = [check for look in ROSTER for check in look(subject)]
    pins = list(check_pins(subject)) if probe else []
    measured = any(pin.fault is None for pin in pins)
    checks += [*check_cards(subject, every=True, measured=measured), *check_runtimes(subject, measured=measured), *pins]
    return Examination(
        host=subject.deployment.stack.host,
        mode=subject.mode.title,
        checks=tuple(checks),
        unchecked=tuple(_unchecked(subject, probe=probe)),
    )


def _unchecked(subject: Subject, *, probe: bool) -> Iterator[str]:
    host = subject.deployment.stack.host
    if not subject.engine.answers:
        yield "volumes, images, container names and Docker's disk: the engine is asked for them, and does not answer"
    if not subject.engine.local:
        yield f"cards, files and ports of the other machine: `anvil-gen doctor {host}` over there looks at them"
    if wanted_cards(subject) and not probe:
        yield f"which cards containers really get: `anvil-gen doctor {host} --probe` starts some that list them"
