"""All checks of a host, in the order in which problems are best fixed."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from anvil_gen.operate.doctor.cached_models import check_cached_models
from anvil_gen.operate.doctor.check import Check, Verdict
from anvil_gen.operate.doctor.containers import check_external_networks, check_networks, check_paused
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.disk import check_disk
from anvil_gen.operate.doctor.environment import (
    check_architecture,
    check_docker,
    check_env_file,
    check_inventory,
    check_platform,
    check_remote,
    check_tree,
    check_variables,
)
from anvil_gen.operate.doctor.gpu_pinning import check_pins
from anvil_gen.operate.doctor.gpus import check_gpus, check_runtimes, unnamed_gpus
from anvil_gen.operate.doctor.host import check_host, check_proxies
from anvil_gen.operate.doctor.images import check_images
from anvil_gen.operate.doctor.links import check_links
from anvil_gen.operate.doctor.mounts import check_mounts, check_volumes
from anvil_gen.operate.doctor.parallelism import check_parallelism
from anvil_gen.operate.doctor.ports_and_names import check_names, check_ports
from anvil_gen.operate.doctor.ranks import check_rank_images, check_rank_overrides


class DoctorResult(Struct, frozen=True, kw_only=True):
    """The result of ``anvil-gen doctor``; ``unchecked`` says what could not be checked, and why."""

    host: str
    mode: str
    checks: tuple[Check, ...]
    unchecked: tuple[str, ...]

    def count(self, verdict: Verdict) -> int:
        """Return the number of checks with a verdict."""
        return sum(check.verdict == verdict for check in self.checks)


CHECKS = (
    *(
        check_inventory,
        check_docker,
        check_platform,
        check_architecture,
        check_host,
        check_proxies,
        check_tree,
        check_remote,
        check_env_file,
        check_variables,
        check_mounts,
        check_cached_models,
        check_volumes,
    ),
    *(check_images, check_parallelism, check_disk, check_names, check_paused, check_external_networks, check_networks),
    *(check_ports, check_links, check_rank_images, check_rank_overrides),
)


def run_checks(context: DoctorContext, *, probe: bool) -> DoctorResult:
    """Run all checks; with ``probe``, start containers to measure which GPUs they see."""
    checks = [check for run_check in CHECKS for check in run_check(context)]
    pins = list(check_pins(context)) if probe else []
    measured = any(pin.diagnostic is None for pin in pins)
    checks += [*check_gpus(context, every=True, measured=measured), *check_runtimes(context, measured=measured), *pins]
    return DoctorResult(
        host=context.deployment.stack.host,
        mode=context.mode.title,
        checks=tuple(checks),
        unchecked=tuple(_unchecked(context, probe=probe)),
    )


def _unchecked(context: DoctorContext, *, probe: bool) -> Iterator[str]:
    host = context.deployment.stack.host
    if not context.docker_info.is_available:
        yield "volumes, images, container names and Docker's disk: Docker does not answer"
    if not context.docker_info.local:
        yield f"GPUs, files and ports of the other machine: run `anvil-gen doctor {host}` there"
    unnamed = unnamed_gpus(context)
    if unnamed:
        yield f"the GPUs of {', '.join(unnamed)}: the inventory does not name them"
    if any(required.tier is not None and required.tier.gpus for required in context.requirements) and not probe:
        yield f"which GPUs containers really see: `anvil-gen doctor {host} --probe` starts containers that list them"
