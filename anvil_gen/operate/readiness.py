"""Waiting for services, as values: what one look at a service makes of what was known of it before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.log_patterns import Cause, KnownLog
from anvil_gen.machine.containers import Container

SETTLE_SECONDS = 3.0
"""How long a service without a health check has to run, and one that has been restarted has to be healthy."""
STUCK_SECONDS = 30.0
"""How long a container may be away, not started or paused before that is a failure."""
RESTARTS = 2
"""How often a service may be restarted: what it waits for may come up after it."""
_KEPT_LINES = 400
_STARTING = "starting"
_ALWAYS = float("-inf")


class Phase(Enum):
    """How far a service has come."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class Observation(Struct, frozen=True, kw_only=True):
    """One look at a service, ``now`` seconds after the wait began: its container, and what that has printed since."""

    now: float
    container: Container | None
    lines: tuple[str, ...] = ()


class Progress(Struct, frozen=True, kw_only=True):
    """What is known of a service. Times are seconds since the wait began.

    ``stage`` is what it does, or did last, by its log; ``words`` tell the phase: what it does, how it is ready, or what
    went wrong, as words that follow on the service's name.
    """

    service: str
    phase: Phase = Phase.WAITING
    stage: str = _STARTING
    words: str = _STARTING
    seconds: float = 0.0  # until it was ready or had failed, or until now
    container: str = ""
    lines: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    rank: int = -1  # of the stage, among the stages of its log
    container_id: str = ""
    started_at: str = ""
    restarts_before: int = 0
    since: float = 0.0  # when the present run, or the present standstill, was seen first
    state: str = ""


def initial(service: str, before: Container | None = None) -> Progress:
    """Return what is known of a service before it is looked at; ``before`` is its container before `up`."""
    if before is None:
        return Progress(service=service)
    return Progress(
        service=service,
        container_id=before.id,
        started_at=before.started_at,
        restarts_before=before.restarts,
        # What has run before goes on running.
        since=_ALWAYS,
        state=before.state,
    )


def advance(before: Progress, seen: Observation, log: KnownLog) -> Progress:
    """Return what is known of a service after a look at it; a failure stays one, and more of its log is read."""
    container = seen.container
    if before.phase is Phase.FAILED:
        return _read(before, seen.lines, log)
    if container is None:
        return _absent(before, seen.now)
    known = _read(_in_its_run(before, container, seen.now), seen.lines, log)
    phase, words = _judged(known, container, seen.now)
    seconds = before.seconds if phase is before.phase is not Phase.WAITING else seen.now
    return replace(known, phase=phase, words=words, seconds=seconds)


def given_up(progress: Progress, seconds: float) -> Progress:
    """Return a service that has not become ready in the time that it was given."""
    if progress.phase is not Phase.WAITING:
        return progress
    words = f"is not ready after {duration(seconds)}: {progress.words}"
    return replace(progress, phase=Phase.FAILED, words=words, seconds=seconds)


def duration(seconds: float) -> str:
    """Return a time for people: ``8s``, ``1m05s``, ``2h01m``."""
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
        return replace(known, phase=Phase.FAILED, words="has no container any more")
    return replace(known, phase=Phase.WAITING, words="has no container")


def _in_its_run(before: Progress, container: Container, now: float) -> Progress:
    """Return what is known of a service, its stage forgotten where it has started anew since."""
    is_new = container.id != before.container_id
    starts_anew = is_new or container.started_at != before.started_at
    waits_anew = starts_anew or container.state != before.state
    return replace(
        before,
        container=container.name,
        container_id=container.id,
        started_at=container.started_at,
        state=container.state,
        since=now if waits_anew else before.since,
        restarts_before=0 if is_new else min(before.restarts_before, container.restarts),
        stage=_STARTING if starts_anew else before.stage,
        rank=-1 if starts_anew else before.rank,
        causes=() if is_new else before.causes,
    )


def _read(known: Progress, lines: tuple[str, ...], log: KnownLog) -> Progress:
    """Return what is known of a service after some lines of its log; its stages only go forward."""
    rank, stage, causes = known.rank, known.stage, list(known.causes)
    for line in lines:
        begun = log.stage(line)
        if begun is not None and begun[0] > rank:
            rank, stage = begun
        cause = log.cause(line)
        if cause is not None and all(cause.cause != other.cause for other in causes):
            causes.append(cause)
    kept = (*known.lines, *lines)[-_KEPT_LINES:]
    return replace(known, rank=rank, stage=stage, causes=tuple(causes), lines=kept)


def _judged(known: Progress, container: Container, now: float) -> tuple[Phase, str]:
    restarted = container.restarts - known.restarts_before
    settled = now - known.since >= SETTLE_SECONDS
    if container.state == "running":
        if container.health == "healthy" and (settled or not restarted):
            return Phase.READY, "is healthy"
        if container.health == "unhealthy":
            return Phase.FAILED, f"is unhealthy{_last_check(container)}"
        if restarted > RESTARTS:
            return Phase.FAILED, f"was restarted {restarted} times"
        if container.health is None and settled:
            return Phase.READY, "runs"
        return Phase.WAITING, known.stage
    ended = f"ended with exit code {container.exit_code}{_meaning(container)}"
    if container.state == "restarting":
        # How it ended before this `up` says nothing of its next run: what was wrong may be mended.
        is_of_now = known.since != _ALWAYS
        if restarted > RESTARTS or (is_of_now and any(not cause.transient for cause in known.causes)):
            times = f", {restarted} times" if restarted > 1 else ""
            return Phase.FAILED, f"{ended}{times}"
        return Phase.WAITING, f"restarting: it {ended}"
    if container.state == "exited":
        # What has no health check and is not started again by Docker has been asked to do something, and has done it.
        done = container.exit_code == 0 and container.health is None
        return (Phase.READY, "has done its work") if done else (Phase.FAILED, ended)
    words = {"created": "is not started", "paused": "is paused"}.get(container.state, f"is {container.state}")
    return (Phase.FAILED if now - known.since >= STUCK_SECONDS else Phase.WAITING), words


def _last_check(container: Container) -> str:
    checks = (container.raw["State"].get("Health") or {}).get("Log") or ()
    said = str(checks[-1].get("Output") or "").split() if checks else ()
    return f": its check says {' '.join(said)}" if said else ""


_SIGNALS = {
    132: "an illegal instruction: the image is made for another processor",
    134: "it aborted itself",
    135: "a bus error: shared memory may be full",
    137: "it was killed",
    139: "a segmentation fault",
    143: "it was asked to end",
}


def _meaning(container: Container) -> str:
    if container.raw["State"].get("OOMKilled"):
        return " (the kernel killed it: the machine's memory, or the container's limit, was full)"
    meaning = _SIGNALS.get(container.exit_code)
    return f" ({meaning})" if meaning else ""


_TELLING = re.compile(
    r"error|exception|fatal|fail|refused|denied|cannot|can't|could ?n.t|unable|no such|not found|invalid|unrecognized|"
    r"unknown|panic|abort|killed|out of memory|traceback",
    re.IGNORECASE,
)
_FRAME = re.compile(r'^\W*(?:\([^)]*\))?[^"]*File ".*", line \d+|\^\^\^|^\s*Traceback')
_MOST = 8


def relevant_lines(progress: Progress) -> list[str]:
    """Return the lines of a log that tell most about a failure: known ones, else what speaks of errors and the end."""
    causes = shown_causes(progress)
    if causes:
        return list(dict.fromkeys(cause.line for cause in causes))
    lines = [line for line in dict.fromkeys(progress.lines) if not _FRAME.search(line)]
    speaking = [line for line in lines if _TELLING.search(line)][-_MOST:]
    chosen = {*speaking, *lines[-2:]} if speaking else set(lines[-_MOST:])
    return [line for line in lines if line in chosen]


def shown_causes(progress: Progress) -> tuple[Cause, ...]:
    """Return the known causes of a failure, those in the program's own words where there are such."""
    own = tuple(cause for cause in progress.causes if not cause.general)
    return own or progress.causes


def is_over(services: Iterable[Progress]) -> bool:
    """Tell whether there is nothing more to wait for."""
    return all(one.phase is not Phase.WAITING for one in services)
