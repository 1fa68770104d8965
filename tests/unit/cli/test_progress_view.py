"""What is seen of a wait: written over on a terminal, a line for each change elsewhere, one document as JSON."""

from __future__ import annotations

import re
import shutil
import sys

import pytest
from msgspec.structs import replace
from observed import HEALTHY, UNKNOWN_FLAG, after, box

from anvil_gen.cli.views.progress import ProgressDisplay, show_waited, waited_json
from anvil_gen.operate.readiness import Progress
from anvil_gen.operate.wait import Waited

ENDED = after((0, box("exited", exit_code=2), f"INFO\n{UNKNOWN_FLAG}"))
LOADING = after((0, box()), (75, box(), "Starting to load model"))
READY = after((0, box()), (9, HEALTHY))


def named(progress: Progress, service: str) -> Progress:
    """Return the same of another service."""
    return replace(progress, service=service)


def take_a_terminal(monkeypatch: pytest.MonkeyPatch, term: str = "xterm") -> None:
    """Let stderr be a terminal of 24 columns and 5 rows."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: (24, 5))
    monkeypatch.setenv("TERM", term)


def plain(text: str) -> str:
    """Return a text without colours."""
    return re.sub(r"\x1b\[\d*m", "", text)


def test_elsewhere_a_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    board = ProgressDisplay()
    for services in ([LOADING], [LOADING], [named(LOADING, "fast"), named(READY, "heavy")], [READY]):
        board.show(services)

    assert capsys.readouterr().err.splitlines() == [
        "fast   1m15s  loading weights",
        "heavy      9s  is healthy",
        "fast      9s  is healthy",
    ]


def test_on_a_terminal_lines_are_written_over_and_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_a_terminal(monkeypatch)
    board = ProgressDisplay()
    both = [named(LOADING, "fast"), named(READY, "heavy")]
    board.show(both)
    board.show(both)

    lines = "fast    1m15s  loading \nheavy      9s  is healt\n"
    assert plain(capsys.readouterr().err) == f"{lines}\x1b[2F\x1b[J{lines}"


def test_more_services_than_rows_are_told_by_the_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_a_terminal(monkeypatch)
    board = ProgressDisplay()
    board.show([named(LOADING, f"s{number}") for number in range(5)])

    assert "\x1b[J" not in capsys.readouterr().err


def test_a_terminal_that_cannot_go_back_gets_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_a_terminal(monkeypatch, "dumb")
    board = ProgressDisplay()
    board.show([LOADING])
    board.show([LOADING])

    assert plain(capsys.readouterr().err) == "fast   1m15s  loading weights\n"


def test_words_of_a_container_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    unhealthy = box("running", "unhealthy", raw={"Health": {"Log": [{"Output": "\x1b[2J\x07"}]}})
    ProgressDisplay().show([after((0, unhealthy))])

    assert capsys.readouterr().err == "fast      0s  is unhealthy: its health check printed \\u001b[2J\\u0007\n"


@pytest.mark.parametrize(
    ("outcome", "services", "said"),
    [
        ("ready", (READY,), "ready after 1m15s"),
        ("failed", (named(READY, "heavy"), ENDED), "failed after 1m15s: fast"),
        ("timeout", (named(ENDED, "heavy"), ENDED), "not ready after 1m15s: heavy, fast"),
        ("failed", (), "failed after 1m15s"),
    ],
)
def test_the_end_is_the_answer(
    outcome: str, services: tuple[Progress, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_waited(Waited(outcome=outcome, seconds=75.9, services=services))

    assert capsys.readouterr().out == f"{said}\n"


def test_all_of_it_as_json() -> None:
    said = waited_json("box", [], Waited(outcome="failed", seconds=1.23, services=(ENDED, named(READY, "heavy"))), [])

    assert (said["host"], said["services"], said["diagnostics"]) == ("box", [], [])
    assert (said["wait"]["outcome"], said["wait"]["seconds"]) == ("failed", 1.2)
    fast, heavy = said["wait"]["services"]
    assert (fast["phase"], fast["stage"], fast["told"]) == ("failed", "starting", "exited with code 2")
    assert (fast["log"], fast["causes"][0]["line"]) == ([UNKNOWN_FLAG], UNKNOWN_FLAG)
    assert (heavy["phase"], heavy["seconds"], heavy["log"], heavy["causes"]) == ("ready", 9, [], [])
