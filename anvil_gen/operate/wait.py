"""The loop that polls services until all are ready or one has failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec import Struct

from anvil_gen.catalog.log_patterns import KnownLog, known_log
from anvil_gen.diagnostics import Diagnostic, printable
from anvil_gen.machine.container_logs import LogReader
from anvil_gen.machine.containers import Container
from anvil_gen.operate.deployment import Deployment, tier_of
from anvil_gen.operate.readiness import (
    Observation,
    Phase,
    Progress,
    advance,
    duration,
    given_up,
    initial,
    is_over,
    relevant_lines,
    shown_causes,
)
from anvil_gen.operate.service_results import snapshot
from anvil_gen.resolve.model import Mode

LINGER_SECONDS = 2.0
"""How long polling continues after the first failure, so that simultaneous failures are reported together."""
_LONGEST_LINE = 300


class Waited(Struct, frozen=True, kw_only=True):
    """How a wait ended: ``outcome`` is ready, failed, timeout or interrupted."""

    outcome: str
    seconds: float
    services: tuple[Progress, ...]


class Observer(Struct, frozen=True, kw_only=True):
    """The inputs of a wait: containers by service, their new log lines by container id, and a clock."""

    containers: Callable[[], Mapping[str, Container]]
    lines: Callable[[Iterable[Container]], Mapping[str, tuple[str, ...]]]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def observer_of(deployment: Deployment) -> Observer:
    """Return the observer of a host's containers."""
    reader = LogReader(deployment.project.docker)
    return Observer(containers=lambda: snapshot(deployment), lines=reader.read)


def logs_of(deployment: Deployment, mode: Mode, services: Iterable[str]) -> dict[str, KnownLog]:
    """Return the known log patterns of each service, by its engine or router.

    Raises:
        DiagnosticError: a data file has errors.
    """
    catalog = deployment.host.catalog
    found = {}
    for service in services:
        tier = tier_of(deployment.stack, service)
        if tier is not None:
            found[service] = known_log(catalog, "engines", tier.engine, with_gpus=tier.gpu_request is not None)
        elif mode.router is not None and service in (mode.router.service, mode.router.reload_service):
            found[service] = known_log(catalog, "routers", mode.router.kind)
        else:
            found[service] = known_log(catalog)
    return found


def servers_of(mode: Mode) -> set[str]:
    """Return the services of a mode that serve until they are stopped: tiers, and the router."""
    router = {mode.router.service} if mode.router is not None else set()
    return {tier.service.name for tier in mode.tiers} | router


def wait(
    logs: Mapping[str, KnownLog],
    before: Mapping[str, Container],
    observer: Observer,
    *,
    timeout: float | None,
    show: Callable[[tuple[Progress, ...]], None],
    servers: Collection[str] = (),
) -> Waited:
    """Poll services until all are ready, one has failed, or time is up; ``show`` is called after each poll.

    Those among ``servers`` are not ready when they have exited, whatever their code. Ctrl-C ends the wait too; the
    containers keep running in any case.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    began = observer.clock()
    known = {service: initial(service, before.get(service), serves=service in servers) for service in logs}
    failed_at: float | None = None
    try:
        while True:
            known = _advance_all(known, logs, observer, began)
            services, now = tuple(known.values()), observer.clock() - began
            show(services)
            if failed_at is None and any(one.phase is Phase.FAILED for one in services):
                failed_at = now
            if is_over(services) or (failed_at is not None and now - failed_at >= LINGER_SECONDS):
                outcome = "ready" if failed_at is None else "failed"
                return Waited(outcome=outcome, seconds=now, services=services)
            if timeout is not None and now >= timeout:
                late = tuple(given_up(one, now, logs[one.service]) for one in services)
                return Waited(outcome="timeout", seconds=now, services=late)
            pause = 0.5 if now < 10 else 1.0
            observer.sleep(pause if timeout is None else max(0.05, min(pause, timeout - now)))
    except KeyboardInterrupt:
        return Waited(outcome="interrupted", seconds=observer.clock() - began, services=tuple(known.values()))


def check_once(
    logs: Mapping[str, KnownLog],
    before: Mapping[str, Container],
    observer: Observer,
    servers: Collection[str] = (),
) -> Waited:
    """Check once what is left after Compose itself has failed; services that may still become ready are left out.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    began = observer.clock()
    first = {service: initial(service, before.get(service), serves=service in servers) for service in logs}
    known = _advance_all(first, logs, observer, began)
    failed = tuple(one for one in known.values() if one.phase is Phase.FAILED)
    return Waited(outcome="failed", seconds=observer.clock() - began, services=failed)


def readiness_errors(waited: Waited, host: str, mode: str) -> list[Diagnostic]:
    """Return a diagnostic for each service that has failed; ``mode`` is empty for the default mode."""
    return [_diagnostic(one, host, mode) for one in waited.services if one.phase is Phase.FAILED]


def impairment_warnings(waited: Waited) -> list[Diagnostic]:
    """Return a warning for each thing that is wrong with a service although it is ready."""
    return [
        Diagnostic(
            code="service-is-impaired",
            detail=f"{one.service} {printable(one.message)}: {told.cause}\n  | {printable(told.line[:_LONGEST_LINE])}",
            remedy=told.remedy,
            severity="warning",
        )
        for one in waited.services
        if one.phase is Phase.READY
        for told in one.impairments
    ]


def _advance_all(
    known: Mapping[str, Progress], logs: Mapping[str, KnownLog], observer: Observer, began: float
) -> dict[str, Progress]:
    containers = observer.containers()
    # The log of a ready service is not read any more: a busy engine prints a line for each request.
    unready = [containers[service] for service, one in known.items() if service in containers and _is_read(one)]
    lines = observer.lines(unready)
    now = observer.clock() - began
    after = {}
    for service, one in known.items():
        container = containers.get(service)
        new = lines.get(container.id, ()) if container is not None else ()
        after[service] = advance(one, Observation(now=now, container=container, lines=new), logs[service])
    return after


def _is_read(one: Progress) -> bool:
    return one.phase is not Phase.READY


def _diagnostic(progress: Progress, host: str, mode: str) -> Diagnostic:
    """Return how a service has failed, the lines of its log that matter, why, and what to do."""
    name = f"{progress.service} (container {progress.container})" if progress.container else progress.service
    after = f"after {duration(progress.seconds)}"
    # On a timeout the message says it already.
    when = "" if after in progress.message else f"; {after}, while {progress.stage}"
    detail = [printable(f"{name} {progress.message}") + when]
    lines = [printable(line[:_LONGEST_LINE]) for line in relevant_lines(progress)]
    detail += ["relevant log lines:", *(f"  | {line}" for line in lines)] if lines else ["its log is empty"]
    remedies = []
    for cause in shown_causes(progress):
        detail.append(f"known cause: {cause.cause}" + (f" ({cause.source})" if cause.source else ""))
        remedies.append(cause.remedy)
    option = f" --mode {mode}" if mode else ""
    remedies.append(f"full log:\n\n    anvil-gen logs {host} {progress.service}{option}")
    return Diagnostic(code="service-is-not-ready", detail="\n".join(detail), remedy="\n".join(remedies))
