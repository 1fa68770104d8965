"""Waiting as values: what looks at a service make of it, from containers and lines."""

from __future__ import annotations

from typing import Any

import pytest
from observed import HEALTHY, UNKNOWN_FLAG, VLLM, after, box

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.log_patterns import known_log
from anvil_gen.machine.containers import Container
from anvil_gen.operate.readiness import (
    Observation,
    Phase,
    advance,
    duration,
    given_up,
    initial,
    is_over,
    relevant_lines,
    shown_causes,
)

UNKNOWN = "vllm: error: unrecognized arguments: --y"
W, R, F = Phase.WAITING, Phase.READY, Phase.FAILED


@pytest.mark.parametrize(
    ("looks", "phase", "words"),
    [
        ([(0, box())], W, "starting"),
        ([(0, box(), "Starting to load model x...")], W, "loading weights"),
        (
            [(0, box(), "Capturing CUDA graphs (x):"), (1, box(), "Loading safetensors checkpoint shards: 0%")],
            W,
            "capturing graphs",
        ),
        ([(0, box()), (9, box("running", "healthy"))], R, "is healthy"),
        ([(0, box("running", "unhealthy"))], F, "is unhealthy"),
        (
            [(0, box("running", "unhealthy", raw={"Health": {"Log": [{"Output": "a"}, {"Output": "no\n route"}]}}))],
            F,
            "is unhealthy: its health check printed no route",
        ),
        # a download takes longer than any start period
        ([(0, box(), "Fetching 4 files"), (60, box("running", "unhealthy"))], W, "downloading weights"),
        ([(0, box(), "Starting to load model x..."), (60, box("running", "unhealthy"))], W, "loading weights"),
        (
            [
                (0, box(), "Starting to load model x..."),
                (60, box("running", "unhealthy"), "Capturing CUDA graphs (x)"),
            ],
            F,
            "is unhealthy",
        ),
        # without a health check: it runs, and stays so for a moment
        ([(0, box("running", None))], W, "starting"),
        ([(0, box("running", None)), (2.9, box("running", None))], W, "starting"),
        ([(0, box("running", None)), (3, box("running", None))], R, "is running"),
        (
            [
                (0, box("running", None)),
                (2, box("running", None, started="t2")),
                (4, box("running", None, started="t2")),
            ],
            W,
            "starting",
        ),
        # it ends
        ([(0, box("exited", None))], R, "has completed"),
        ([(0, box("exited", "starting"))], F, "exited with code 0"),
        ([(0, box("exited", None, exit_code=2))], F, "exited with code 2"),
        ([(0, box("exited", None, exit_code=139))], F, "exited with code 139 (segmentation fault)"),
        (
            [(0, box("exited", None, exit_code=137, raw={"OOMKilled": True}))],
            F,
            "exited with code 137 (killed by the kernel: the host or the container's limit ran out of memory)",
        ),
        # it is restarted
        ([(0, box("restarting", exit_code=1, restarts=1))], W, "restarting: it exited with code 1"),
        ([(0, box("restarting", exit_code=1, restarts=3))], F, "exited with code 1, 3 times"),
        ([(0, box(restarts=3))], F, "was restarted 3 times"),
        ([(0, box(restarts=2))], W, "starting"),
        ([(0, box("restarting", exit_code=2, restarts=1), UNKNOWN)], F, "exited with code 2"),
        (
            [(0, box("restarting", exit_code=1, restarts=1), "CUDA out of memory. Tried to allocate 1.00 GiB.")],
            W,
            "restarting: it exited with code 1",
        ),
        # it flaps: healthy counts when it lasts
        ([(0, box("running", "healthy", restarts=1))], W, "starting"),
        ([(0, box("running", "healthy", restarts=1)), (3, box("running", "healthy", restarts=1))], R, "is healthy"),
        (
            [(0, box("running", "healthy")), (1, box("restarting", exit_code=1, restarts=1))],
            W,
            "restarting: it exited with code 1",
        ),
        # it stands still
        ([(0, box("created", None))], W, "is not started"),
        ([(0, box("created", None)), (30, box("created", None))], F, "is not started"),
        ([(0, box()), (5, box("paused")), (34, box("paused"))], W, "is paused"),
        ([(0, box()), (5, box("paused")), (35, box("paused"))], F, "is paused"),
        ([(0, None)], W, "has no container"),
        ([(0, box()), (1, None), (30, None)], W, "has no container"),
        ([(0, box()), (1, None), (31, None)], F, "no longer has a container"),
        # another `up` makes it anew: the other container counts
        (
            [(0, box(), "Loading pt checkpoint shards"), (1, None), (2, box(id="2", started="t2", restarts=0))],
            W,
            "starting",
        ),
        # a failure stays one
        ([(0, box("exited", None, exit_code=2)), (1, box("running", "healthy"))], F, "exited with code 2"),
    ],
)
def test_what_a_service_does(looks: list[Any], phase: Phase, words: str) -> None:
    known = after(*looks)

    assert (known.phase, known.message) == (phase, words)


def test_the_time_of_what_is_ready_stands_still() -> None:
    healthy = box("running", "healthy")

    assert after((0, box()), (9, healthy), (20, healthy)).seconds == 9
    assert after((0, box()), (9, healthy), (20, box())).seconds == 20


def test_what_has_run_before_is_not_waited_for() -> None:
    same = box("running", None)

    assert after((0, same), start=initial("fast", same)).phase is R
    assert after((0, box("running", None, started="t2")), start=initial("fast", same)).phase is W


@pytest.mark.parametrize(
    ("before", "now", "phase"),
    [
        (box("running", None, restarts=7), box("running", None, restarts=7), R),
        (box("running", "starting", restarts=7), box(restarts=9), W),
        (box("running", "starting", restarts=7), box(restarts=10), F),
        # Docker counts anew where somebody starts it
        (box("exited", None, restarts=7), box(restarts=1), W),
        (box("running", "starting", restarts=7), box(restarts=3, id="2"), F),
    ],
)
def test_restarts_before_the_wait_do_not_count(before: Container, now: Container, phase: Phase) -> None:
    assert after((0, now), start=initial("fast", before)).phase is phase


def test_a_stage_ends_with_its_run() -> None:
    known = after((0, box(), "Loading pt checkpoint shards"), (1, box(started="t2")))

    assert (known.stage, known.message) == ("starting", "starting")


def test_each_cause_is_kept_once_with_its_line() -> None:
    line = "vllm: error: unrecognized arguments: --x"
    known = after((0, box("restarting", restarts=1), f"{line}\n{line}"), (1, box("restarting", restarts=2), line))

    assert [cause.line for cause in known.causes] == [line]
    assert relevant_lines(known) == [line]


def test_the_programs_own_words_hide_a_librarys() -> None:
    own = "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests."
    known = after((0, box(), f"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n{own}"))

    assert len(known.causes) == 2
    assert relevant_lines(known) == [own]
    assert [cause.general for cause in shown_causes(known)] == [False]


def test_without_a_known_cause_what_speaks_of_errors_is_shown_and_the_end() -> None:
    text = """INFO starting
Traceback (most recent call last):
  File "/app/main.py", line 12, in <module>
    start()
ValueError: it cannot be
INFO shutting down
INFO bye"""

    assert relevant_lines(after((0, box(), text))) == ["ValueError: it cannot be", "INFO shutting down", "INFO bye"]


def test_of_a_log_without_errors_the_end_is_shown() -> None:
    text = "\n".join(f"line {number}" for number in range(1000))

    assert relevant_lines(after((0, box(), text))) == [f"line {number}" for number in range(992, 1000)]
    assert relevant_lines(after((0, box()))) == []


def test_what_is_not_ready_in_time_is_given_up() -> None:
    loading, ready = after((0, box(), "Starting to load model")), after((0, box("running", "healthy")))

    late = given_up(loading, 30.4, VLLM)
    assert (late.phase, late.message, late.causes) == (F, "is not ready after 30s: loading weights", ())
    assert late.stage == "loading weights"
    assert given_up(ready, 30, VLLM) == ready


def test_a_start_that_says_nothing_for_minutes_is_told_so() -> None:
    loading = after((0, box(), "Starting to load model"), (119, box()))
    silent = after((301, box()), start=loading)
    again = after((302, box(), "Model loading took 3 GiB"), start=silent)

    assert loading.message == "loading weights"
    assert silent.message == "loading weights, without a new line for 5 minutes"
    assert again.message == "compiling"


def test_of_a_silent_start_that_is_given_up_the_likely_reason_is_told() -> None:
    silent = given_up(after((0, box(), "Starting to load model"), (600, box())), 600, VLLM)

    assert VLLM.hang is not None
    assert [cause.cause for cause in silent.causes] == [VLLM.hang.cause]
    assert relevant_lines(silent) == ["Starting to load model"]


def test_a_cause_in_the_log_comes_before_the_reasons_of_a_silence() -> None:
    silent = given_up(after((0, box(), UNKNOWN_FLAG), (600, box())), 600, VLLM)

    assert [cause.cause for cause in silent.causes] == ["this version of the program does not know: --x"]


def test_what_is_wrong_though_it_is_healthy_follows_the_phase() -> None:
    llamacpp = known_log(Catalog(), "engines", "llamacpp", with_gpus=True)
    line = "ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected"
    seen = Observation(now=1, container=HEALTHY, lines=(line, line))
    known = advance(initial("fast"), seen, llamacpp)

    assert (known.phase, known.message) == (Phase.READY, "is healthy, but on the processor")
    assert [one.cause for one in known.impairments] == [
        "llama-server could not use the GPU: no CUDA-capable device is detected"
    ]
    started_again = Observation(now=9, container=box("running", "healthy", started="t2"))
    assert advance(known, started_again, llamacpp).message == "is healthy"


def test_it_is_over_when_nothing_is_waited_for() -> None:
    ready, failed, waiting = after((0, box("running", "healthy"))), after((0, box("exited"))), after((0, box()))

    assert is_over([ready, failed])
    assert is_over([])
    assert not is_over([ready, waiting])


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.9, "59s"), (60, "1m00s"), (3599, "59m59s"), (7260, "2h01m"), (-1, "0s")]
)
def test_a_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_how_it_ended_before_up_is_no_verdict() -> None:
    ended = box("restarting", exit_code=2, restarts=7)
    known = after((0, ended, UNKNOWN), start=initial("fast", ended))
    assert (known.phase, known.message) == (W, "restarting: it exited with code 2")

    mended = after((9, box("running", "healthy", started="t2", restarts=8)), start=known)
    assert after((12, box("running", "healthy", started="t2", restarts=8)), start=mended).phase is R
    again = box("restarting", exit_code=2, restarts=8, started="t2")
    assert after((9, again, UNKNOWN), start=known).phase is F


@pytest.mark.parametrize(("serves", "phase"), [(True, F), (False, R)])
def test_what_serves_is_not_ready_when_it_has_ended_well(serves: bool, phase: Phase) -> None:
    found = after((0, box("exited", None)), start=initial("fast", serves=serves))

    assert found.phase is phase
    assert found.message == ("exited with code 0" if serves else "has completed")
