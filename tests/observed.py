"""Services as a wait observes them, made up."""

from __future__ import annotations

from typing import Any

from inspected import inspected
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.log_patterns import known_log
from anvil_gen.machine.containers import Container
from anvil_gen.operate.readiness import Observation, Progress, advance, initial

VLLM = known_log(Catalog(), "engines", "vllm")


def box(state: str = "running", health: str | None = "starting", /, **said: Any) -> Container:
    """Return a container in some state."""
    raw = said.pop("raw", {})
    made = replace(inspected(), state=state, health=health, started_at=said.pop("started", "t1"), **said)
    return replace(made, raw={"State": raw})


def after(
    *looks: tuple[float, Container | None] | tuple[float, Container | None, str], start: Progress | None = None
) -> Progress:
    """Return what is known of a service after looks at it, each a time, a container and lines of its log."""
    known = start or initial("fast")
    for now, container, *text in looks:
        lines = tuple(text[0].split("\n")) if text else ()
        known = advance(known, Observation(now=now, container=container, lines=lines), VLLM)
    return known


HEALTHY = box("running", "healthy")


UNKNOWN_FLAG = "vllm: error: unrecognized arguments: --x"
