"""The loop of a wait, with looks that are data; and what is said of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from observed import HEALTHY, UNKNOWN_FLAG, box

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.log_patterns import known_log
from anvil_gen.machine.containers import Container
from anvil_gen.operate.readiness import Progress
from anvil_gen.operate.wait import Observer, Waited, check_once, impairment_warnings, readiness_errors, wait

LOGS = {name: known_log(Catalog(), "engines", "vllm") for name in ("fast", "heavy")}
ENDED = box("exited", "starting", exit_code=2, id="2")


class Play:
    """A machine on which what is looked at follows from the time."""

    def __init__(self, *scenes: tuple[float, Mapping[str, Container]], lines: Mapping[str, str] | None = None) -> None:
        """Take what is there from some time on."""
        self.now = 0.0
        self.read: list[set[str]] = []
        self.shown: list[tuple[Progress, ...]] = []
        self._scenes = scenes
        self._lines = lines or {}

    def containers(self) -> Mapping[str, Container]:
        """Return what is there now."""
        return [found for since, found in self._scenes if since <= self.now][-1]

    def lines(self, asked: Any) -> dict[str, tuple[str, ...]]:
        """Return each line once."""
        self.read.append({one.id for one in asked})
        said, self._lines = self._lines, {}
        return {container: tuple(text.split("\n")) for container, text in said.items()}

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds

    def watch(self, timeout: float | None = None, before: Mapping[str, Container] | None = None) -> Waited:
        """Watch both services."""
        return wait(LOGS, before or {}, self.eyes(), timeout=timeout, show=self.shown.append)

    def eyes(self) -> Observer:
        """Return what looks at it."""
        return Observer(containers=self.containers, lines=self.lines, clock=lambda: self.now, sleep=self.sleep)


def test_it_ends_when_all_are_ready() -> None:
    play = Play(
        (0, {"fast": box(id="1"), "heavy": box(id="2")}),
        (4, {"fast": HEALTHY, "heavy": box(id="2")}),
        (70, {"fast": HEALTHY, "heavy": HEALTHY}),
    )
    waited = play.watch()

    assert waited.outcome == "ready"
    assert [(one.service, one.seconds) for one in waited.services] == [("fast", 4), ("heavy", 70)]
    assert play.read[-2:] == [{"2"}, {"1"}]  # heavy alone, as long as it is not ready
    assert readiness_errors(waited, "box", "") == []


def test_where_all_is_ready_nothing_is_waited_for() -> None:
    play = Play((0, {"fast": HEALTHY, "heavy": HEALTHY}))

    assert (play.watch().outcome, play.now, len(play.shown)) == ("ready", 0, 1)


def test_a_failure_ends_it_soon_and_others_that_fail_at_once_are_told_too() -> None:
    play = Play(
        (0, {"fast": box(id="1"), "heavy": box(id="2")}),
        (10, {"fast": box("exited", exit_code=1, id="1"), "heavy": box(id="2")}),
        (11, {"fast": box("exited", exit_code=1, id="1"), "heavy": ENDED}),
    )
    waited = play.watch()

    assert (waited.outcome, waited.seconds) == ("failed", 11)
    assert [one.message for one in waited.services] == ["exited with code 1", "exited with code 2"]


def test_a_failure_ends_it_while_others_are_on_their_way() -> None:
    waited = Play((0, {"fast": ENDED, "heavy": box(id="3")})).watch()

    assert (waited.outcome, waited.seconds) == ("failed", 2)
    assert [one.phase.value for one in waited.services] == ["failed", "waiting"]
    assert len(readiness_errors(waited, "box", "")) == 1


def test_the_time_is_over() -> None:
    waited = Play((0, {"fast": HEALTHY, "heavy": box(id="2")})).watch(timeout=7.2)

    assert (waited.outcome, round(waited.seconds, 1)) == ("timeout", 7.2)
    assert [one.message for one in waited.services] == ["is healthy", "is not ready after 7s: starting"]


def test_no_time_at_all_is_one_look() -> None:
    play = Play((0, {"fast": HEALTHY, "heavy": HEALTHY}))
    assert play.watch(timeout=0).outcome == "ready"

    play = Play((0, {"fast": HEALTHY, "heavy": box(id="2")}))
    assert (play.watch(timeout=0).outcome, len(play.shown)) == ("timeout", 1)


def test_an_interrupt_ends_it_with_what_is_known() -> None:
    play = Play((0, {"fast": HEALTHY, "heavy": box(id="2")}))

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    waited = wait(LOGS, {}, replace(play.eyes(), sleep=interrupted), timeout=None, show=play.shown.append)
    assert waited.outcome == "interrupted"
    assert [one.phase.value for one in waited.services] == ["ready", "waiting"]


def test_one_look_tells_what_has_ended_and_nothing_of_the_rest() -> None:
    play = Play((0, {"fast": ENDED, "heavy": box(id="3")}), lines={"2": UNKNOWN_FLAG})
    waited = check_once(LOGS, {}, play.eyes())

    assert (waited.outcome, [one.service for one in waited.services]) == ("failed", ["fast"])
    assert waited.services[0].causes[0].line == UNKNOWN_FLAG


@pytest.mark.parametrize(("mode", "option"), [("", ""), ("coding", " --mode coding")])
def test_what_is_said_of_a_failure(mode: str, option: str) -> None:
    play = Play((0, {"fast": ENDED, "heavy": HEALTHY}), lines={"2": f"\x1bINFO\n{UNKNOWN_FLAG}"})
    (diagnostic,) = readiness_errors(play.watch(), "box", mode)

    assert diagnostic.summary == "service is not ready"
    assert diagnostic.detail.split("\n") == [
        "fast (container fast) exited with code 2; after 0s, while starting",
        "relevant log lines:",
        f"  | {UNKNOWN_FLAG}",
        "known cause: this version of the program does not know: --x (Python's argparse)",
    ]
    assert diagnostic.remedy.endswith(f"full log:\n\n    anvil-gen logs box fast{option}")


def test_lines_of_a_log_cannot_steer_the_terminal() -> None:
    play = Play((0, {"fast": ENDED, "heavy": HEALTHY}), lines={"2": "error: \x07\x9b" + "x" * 1000})
    (diagnostic,) = readiness_errors(play.watch(), "box", "")

    line = diagnostic.detail.split("\n")[2]
    assert line.startswith("  | error: \\u0007\\u009bxxx")
    assert len(line) < 350


def test_what_is_wrong_though_it_is_ready_is_a_warning() -> None:
    line = "Failed to initialize NVML: Unknown Error"
    logs = {"fast": known_log(Catalog(), "engines", "vllm", with_gpus=True)}
    play = Play((0, {"fast": HEALTHY}), lines={HEALTHY.id: line})
    waited = wait(logs, {}, play.eyes(), timeout=None, show=play.shown.append)
    (warning,) = impairment_warnings(waited)

    assert (waited.outcome, warning.severity) == ("ready", "warning")
    assert warning.detail.split("\n")[0].startswith("fast is healthy, but without its GPU: the container has lost")
    assert warning.detail.split("\n")[1] == f"  | {line}"


def test_a_service_that_said_nothing() -> None:
    (diagnostic,) = readiness_errors(Play((0, {"fast": ENDED, "heavy": HEALTHY})).watch(), "box", "")

    assert diagnostic.detail.split("\n")[1:] == ["its log is empty"]
