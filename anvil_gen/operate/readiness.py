"""Readiness of services as a state machine without I/O: one observation advances the progress of a service."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.log_patterns import Cause, KnownLog
from anvil_gen.machine.containers import Container
from anvil_gen.patterns import lazy_pattern

SETTLE_SECONDS = 3.0
"""How long a service without a health check must have run, and one that was restarted must have been healthy."""
STUCK_SECONDS = 30.0
"""How long a container may be missing, not started or paused before that is a failure."""
SILENT_SECONDS = 120.0
"""How long a starting service may print nothing before that is said."""
RESTARTS = 2
"""How often a service may be restarted: it may start before what it waits for."""
_KEPT_LINES = 400
_STARTING = "starting"
_ALWAYS = float("-inf")


class Phase(Enum):
    """The phase of a service."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class Observation(Struct, frozen=True, kw_only=True):
    """A service ``now`` seconds after the wait began: its container, and the new lines of its log."""

    now: float
    container: Container | None
    lines: tuple[str, ...] = ()


class Progress(Struct, frozen=True, kw_only=True):
    """What is known of a service. Times are seconds since the wait began.

    ``stage`` is the latest startup stage in its log; ``message`` describes the phase: what the service does, how it is
    ready, or what went wrong, as words that follow the service's name.
    """

    service: str
    phase: Phase = Phase.WAITING
    stage: str = _STARTING
    message: str = _STARTING
    seconds: float = 0.0  # until it was ready or had failed, or until now
    container: str = ""
    lines: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    impairments: tuple[Cause, ...] = ()  # what its log says is wrong although it is healthy
    rank: int = -1  # of the stage, among the stages of its log
    container_id: str = ""
    started_at: str = ""
    restarts_before: int = 0
    since: float = 0.0  # when the current run, or the current state, was first seen
    last_line: float = 0.0  # when the latest line of its log was seen
    state: str = ""
    serves: bool = False


def initial(service: str, before: Container | None = None, *, serves: bool = False) -> Progress:
    """Return the progress of a service before the first observation.

    ``before`` is its container before `up`; one that ``serves`` is no task which could be completed.
    """
    if before is None:
        return Progress(service=service, serves=serves)
    return Progress(
        service=service,
        serves=serves,
        container_id=before.id,
        started_at=before.started_at,
        restarts_before=before.restarts,
        # A container that ran before keeps running.
        since=_ALWAYS,
        state=before.state,
    )


def advance(before: Progress, seen: Observation, log: KnownLog) -> Progress:
    """Return the progress of a service after an observation; a failure is final, but more of its log is read."""
    container = seen.container
    if before.phase is Phase.FAILED:
        return _read(before, seen.lines, log)
    if container is None:
        return _absent(before, seen.now)
    known = _read(_in_current_run(before, container, seen.now), seen.lines, log)
    known = replace(known, last_line=seen.now if seen.lines else known.last_line)
    phase, message = _judge(known, container, seen.now, downloads=log.downloads(known.rank))
    seconds = before.seconds if phase is before.phase is not Phase.WAITING else seen.now
    return replace(known, phase=phase, message=message, seconds=seconds)


def given_up(progress: Progress, seconds: float, log: KnownLog) -> Progress:
    """Return the progress of a service that was not ready in time."""
    if progress.phase is not Phase.WAITING:
        return progress
    message = f"is not ready after {duration(seconds)}: {progress.message}"
    causes = progress.causes
    if not causes and log.hang is not None and _silence(seconds - progress.last_line):
        causes = (Cause(cause=log.hang.cause, remedy=log.hang.remedy, source=log.hang.source, line=""),)
    return replace(progress, phase=Phase.FAILED, message=message, seconds=seconds, causes=causes)


def duration(seconds: float) -> str:
    """Return a human-readable duration: ``8s``, ``1m05s``, ``2h01m``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def _absent(before: Progress, now: float) -> Progress:
    since = before.since if before.state == "" else now
    known = replace(before, state="", since=since, seconds=now)
    if now - since >= STUCK_SECONDS:
        return replace(known, phase=Phase.FAILED, message="no longer has a container")
    return replace(known, phase=Phase.WAITING, message="has no container")


def _in_current_run(before: Progress, container: Container, now: float) -> Progress:
    """Return the progress of a service, with its stage reset if it has started again since."""
    is_new = container.id != before.container_id
    has_restarted = is_new or container.started_at != before.started_at
    state_changed = has_restarted or container.state != before.state
    return replace(
        before,
        container=container.name,
        container_id=container.id,
        started_at=container.started_at,
        state=container.state,
        since=now if state_changed else before.since,
        restarts_before=0 if is_new else min(before.restarts_before, container.restarts),
        stage=_STARTING if has_restarted else before.stage,
        rank=-1 if has_restarted else before.rank,
        causes=() if is_new else before.causes,
        impairments=() if has_restarted else before.impairments,
        last_line=now if has_restarted else before.last_line,
    )


def _read(known: Progress, lines: tuple[str, ...], log: KnownLog) -> Progress:
    """Return the progress of a service after some lines of its log; stages only move forward."""
    rank, stage, causes, impairments = known.rank, known.stage, list(known.causes), list(known.impairments)
    for line in lines:
        begun = log.stage(line)
        if begun is not None and begun[0] > rank:
            rank, stage = begun
        cause = log.cause(line)
        if cause is not None and all(cause.cause != other.cause for other in causes):
            causes.append(cause)
        impairment = log.impairment(line)
        if impairment is not None and all(impairment.cause != other.cause for other in impairments):
            impairments.append(impairment)
    kept = (*known.lines, *lines)[-_KEPT_LINES:]
    return replace(known, rank=rank, stage=stage, causes=tuple(causes), impairments=tuple(impairments), lines=kept)


def _judge(known: Progress, container: Container, now: float, *, downloads: bool) -> tuple[Phase, str]:
    restarted = container.restarts - known.restarts_before
    settled = now - known.since >= SETTLE_SECONDS
    if container.state == "running":
        if container.health == "healthy" and (settled or not restarted):
            return Phase.READY, f"is healthy{_but(known.impairments)}"
        if container.health == "unhealthy" and not downloads:  # no start_period is as long as a download
            return Phase.FAILED, f"is unhealthy{_last_check(container)}"
        if restarted > RESTARTS:
            return Phase.FAILED, f"was restarted {restarted} times"
        if container.health is None and settled:
            return Phase.READY, f"is running{_but(known.impairments)}"
        return Phase.WAITING, f"{known.stage}{_silence(now - known.last_line)}"
    ended = f"exited with code {container.exit_code}{_meaning(container)}"
    if container.state == "restarting":
        # How it exited before this `up` does not predict its next run: the cause may be fixed.
        is_current = known.since != _ALWAYS
        if restarted > RESTARTS or (is_current and any(not cause.transient for cause in known.causes)):
            times = f", {restarted} times" if restarted > 1 else ""
            return Phase.FAILED, f"{ended}{times}"
        return Phase.WAITING, f"restarting: it {ended}"
    if container.state == "exited":
        # Without a health check and a restart by Docker, it was a task, and has completed it.
        done = container.exit_code == 0 and container.health is None and not known.serves
        return (Phase.READY, "has completed") if done else (Phase.FAILED, ended)
    message = {"created": "is not started", "paused": "is paused"}.get(container.state, f"is {container.state}")
    return (Phase.FAILED if now - known.since >= STUCK_SECONDS else Phase.WAITING), message


def _but(impairments: tuple[Cause, ...]) -> str:
    return f", but {' and '.join(dict.fromkeys(one.words for one in impairments))}" if impairments else ""


def _silence(seconds: float) -> str:
    """Return for how many minutes a starting service has printed nothing, in whole ones."""
    return f", without a new line for {int(seconds // 60)} minutes" if seconds >= SILENT_SECONDS else ""


def _last_check(container: Container) -> str:
    checks = (container.raw["State"].get("Health") or {}).get("Log") or ()
    output = str(checks[-1].get("Output") or "").split() if checks else ()
    return f": its health check printed {' '.join(output)}" if output else ""


_SIGNALS = {
    132: "illegal instruction: the image is built for another CPU",
    134: "it aborted",
    135: "bus error: shared memory may be full",
    137: "it was killed",
    139: "segmentation fault",
    143: "it was asked to stop",
}


def _meaning(container: Container) -> str:
    if container.raw["State"].get("OOMKilled"):
        return " (killed by the kernel: the host or the container's limit ran out of memory)"
    meaning = _SIGNALS.get(container.exit_code)
    return f" ({meaning})" if meaning else ""


_ERROR_WORDS = lazy_pattern(
    r"error|exception|fatal|fail|refused|denied|cannot|can't|could ?n.t|unable|no such|not found|invalid|unrecognized|"
    r"unknown|panic|abort|killed|out of memory|traceback",
    re.IGNORECASE,
)
_FRAME = lazy_pattern(r'^\W*(?:\([^)]*\))?[^"]*File ".*", line \d+|\^\^\^|^\s*Traceback')
_MOST = 8


def relevant_lines(progress: Progress) -> list[str]:
    """Return the relevant lines of a log after a failure: those of known causes, else error lines and the last ones."""
    told = [cause.line for cause in shown_causes(progress) if cause.line]
    if told:
        return list(dict.fromkeys(told))
    lines = [line for line in dict.fromkeys(progress.lines) if not _FRAME.search(line)]
    errors = [line for line in lines if _ERROR_WORDS.search(line)][-_MOST:]
    chosen = {*errors, *lines[-2:]} if errors else set(lines[-_MOST:])
    return [line for line in lines if line in chosen]


def shown_causes(progress: Progress) -> tuple[Cause, ...]:
    """Return the known causes of a failure, those specific to the program if there are any."""
    own = tuple(cause for cause in progress.causes if not cause.general)
    return own or progress.causes


def is_over(services: Iterable[Progress]) -> bool:
    """Tell whether there is nothing more to wait for."""
    return all(one.phase is not Phase.WAITING for one in services)
