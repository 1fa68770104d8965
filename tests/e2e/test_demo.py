"""The demo, as `make demo` runs it once an engine is there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

from e2e.engine import Engine
from e2e.materials import REPOSITORY

PROJECT = ["docker", "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project=anvil-cpu-demo"]
SECONDS = 600


def started(engine: Engine) -> subprocess.Popen[str]:
    """Start the demo in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-u", str(REPOSITORY / "scripts" / "demo.py"), "--own-engine"],
        env={**os.environ, **engine.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def test_a_real_model_answers_in_a_stream_and_nothing_is_left(engine: Engine) -> None:
    demo = started(engine)
    printed, _ = demo.communicate(timeout=SECONDS)

    assert demo.returncode == 0, printed
    assert re.search(r"\n\w[^\n]{20,}\n\(\d+\.\d s, first word after \d+\.\d\d s\)\n", printed), printed
    assert "= small   unchanged\n" in printed
    assert engine.run(*PROJECT).stdout == ""


def test_an_interrupt_takes_down_what_was_started(engine: Engine) -> None:
    demo = started(engine)
    assert demo.stdout is not None
    assert any("waiting for its health check" in line for line in demo.stdout)
    os.killpg(demo.pid, signal.SIGINT)
    demo.communicate(timeout=SECONDS)

    assert demo.returncode != 0
    assert engine.run(*PROJECT).stdout == ""
