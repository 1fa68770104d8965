"""Whether services that start without a word do anything: not those that neither compute, read nor send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from anvil_gen.catalog.log_patterns import Hang, KnownLog
from anvil_gen.machine.usage import Usage
from anvil_gen.operate.readiness import SILENT_SECONDS, Phase, Progress

EVERY_SECONDS = 60.0
"""How often Docker is asked, which costs it two seconds, and how long a service must have done nothing."""
IDLE_PERCENT = 30.0
"""Of one processor: more than a health check takes that starts Python each second (4 to 14), less than any loading."""

Ask = Callable[[Iterable[str]], Mapping[str, Usage]]


class Standstill:
    """Services that stand still, as far as Docker's counters show it."""

    def __init__(self, logs: Mapping[str, KnownLog], ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        """Take what is known of each service, and what asks Docker for its counters, by the ids of containers."""
        self._logs, self._ask, self._clock = logs, ask, clock
        self._asked_at = float("-inf")
        self._last: Mapping[str, Usage] = {}
        self._idle: frozenset[str] = frozenset()
        self._told: set[str] = set()

    def describe(self, services: Iterable[Progress]) -> tuple[Progress, ...]:
        """Return the progress of services; those that stand still are said to."""
        known = tuple(services)
        silent = [one.container_id for one in known if _is_silent(one)]
        now = self._clock()
        if silent and now - self._asked_at >= EVERY_SECONDS:
            found = self._ask(silent)
            self._idle = frozenset(one for one in found if _is_idle(self._last.get(one), found[one]))
            self._last, self._asked_at = found, now
        return tuple(
            replace(one, message=f"{one.message}, and does nothing")
            if _is_silent(one) and one.container_id in self._idle
            else one
            for one in known
        )

    def hints(self, services: Iterable[Progress]) -> list[tuple[str, Hang]]:
        """Return why services that stand still may do so, each once: by service."""
        found = []
        for one in services:
            hang = self._logs[one.service].hang
            if hang is not None and _is_silent(one) and one.container_id in self._idle - self._told:
                self._told.add(one.container_id)
                found.append((one.service, hang))
        return found


def _is_silent(one: Progress) -> bool:
    return one.phase is Phase.WAITING and one.state == "running" and one.seconds - one.last_line >= SILENT_SECONDS


def _is_idle(before: Usage | None, now: Usage) -> bool:
    return before is not None and before.moved == now.moved and max(before.percent, now.percent) < IDLE_PERCENT
