"""Starts without a word: which of them do nothing, by two looks at Docker's counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from fake_engine import FakeDocker

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.log_patterns import known_log
from anvil_gen.machine.usage import Usage, usage_of
from anvil_gen.operate.readiness import Phase, Progress
from anvil_gen.operate.standstill import EVERY_SECONDS, Standstill

QUIET = Usage(percent=0.3, moved=("1.2GB / 0B", "5kB / 3kB"))
LOGS = {"chat": known_log(Catalog(), "engines", "vllm")}


def silent(**more: object) -> Progress:
    known = {"message": "loading weights, without a new line for 3 minutes", "state": "running", "container_id": "id"}
    return Progress(**{"service": "chat", "seconds": 200.0, "last_line": 20.0, **known, **more})  # type: ignore[arg-type]


def looks(*usages: Usage, progress: Progress | None = None) -> tuple[list[str], list[str], int]:
    """Return the message after each look, the services that are given a hint, and how often Docker was asked."""
    now, asked = 0.0, list(usages)

    def ask(ids: Iterable[str]) -> Mapping[str, Usage]:
        assert list(ids) == ["id"]
        return {"id": asked.pop(0)}

    standstill = Standstill(LOGS, ask, lambda: now)
    messages, hints = [], []
    for _ in usages:
        for _ in range(3):  # Docker is not asked each time
            (one,) = standstill.describe((progress or silent(),))
            hints += [service for service, _ in standstill.hints((one,))]
            now += EVERY_SECONDS / 3
        messages.append(one.message.removeprefix("loading weights, without a new line for 3 minutes"))
    return messages, hints, len(usages) - len(asked)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (QUIET, ", and does nothing"),
        (Usage(percent=14.0, moved=QUIET.moved), ", and does nothing"),  # its health check
        (Usage(percent=180.0, moved=QUIET.moved), ""),
        (Usage(percent=0.3, moved=("1.3GB / 0B", "5kB / 3kB")), ""),
        (Usage(percent=0.3, moved=("1.2GB / 0B", "9MB / 3kB")), ""),
    ],
)
def test_what_neither_computes_reads_nor_sends_does_nothing(second: Usage, expected: str) -> None:
    messages, hints, _ = looks(QUIET, second)

    assert messages == ["", expected]
    assert hints == (["chat"] if expected else [])


def test_the_hint_is_given_once_and_what_goes_on_is_not_said_to_stand_still() -> None:
    moving = Usage(percent=90.0, moved=("2GB / 0B", "5kB / 3kB"))

    assert looks(QUIET, QUIET, QUIET, moving) == (["", ", and does nothing", ", and does nothing", ""], ["chat"], 4)


@pytest.mark.parametrize("progress", [silent(last_line=190.0), silent(phase=Phase.READY), silent(state="restarting")])
def test_docker_is_asked_of_silent_starts_alone(progress: Progress) -> None:
    assert looks(QUIET, QUIET, progress=progress) == ([""] * 2, [], 0)


def test_what_docker_prints_is_read() -> None:
    printed = '{"BlockIO":"0B / 0B","CPUPerc":"12.50%","ID":"abc","NetIO":"1kB / 2kB"}\n'
    ended = '{"BlockIO":"-- / --","CPUPerc":"--","ID":"def","NetIO":"--"}\n'

    assert usage_of(FakeDocker({"stats": printed + ended}), ["abc", "def"]) == {
        "abc": Usage(percent=12.5, moved=("0B / 0B", "1kB / 2kB")),
        "def": Usage(percent=0.0, moved=("-- / --", "--")),
    }
