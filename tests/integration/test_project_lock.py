"""Turns in a folder: one after the other, and what a killed process has started counts for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import NamedTuple

from anvil_gen.machine.project_lock import project_lock

HOLD = """
import pathlib, subprocess, sys
from anvil_gen.machine.project_lock import project_lock
with project_lock(pathlib.Path(sys.argv[1]), lambda: None) as held:
    child = subprocess.Popen(["sleep", "600"], pass_fds=held, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    child.wait()
"""


class Holder(NamedTuple):
    """A process that has its turn, in a command of its own that goes on until it is ended."""

    process: subprocess.Popen[str]
    command: int

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.command, signal.SIGKILL)


@contextmanager
def holder(folder: Path) -> Iterator[Holder]:
    """Start a process that has its turn in a folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        held = Holder(process, int(process.stdout.readline()))
        try:
            yield held
        finally:
            held.end()


def told_by(folder: Path, held: Holder | None = None) -> list[str]:
    """Have a turn, and return what is told: a wait, upon which the holder's command is ended a moment later."""
    told = list[str]()

    def end(held: Holder) -> None:
        told.append("ended")
        held.end()

    def tell() -> None:
        told.append("wait")
        if held is not None:
            Timer(0.5, end, (held,)).start()

    with project_lock(folder, tell):
        return [*told]


def test_a_turn_is_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path) as held:
        assert told_by(tmp_path, held) == ["wait", "ended"]
    assert told_by(tmp_path) == []


def test_what_a_killed_process_has_started_still_has_its_turn(tmp_path: Path) -> None:
    with holder(tmp_path) as held:
        held.process.kill()
        held.process.wait()
        assert told_by(tmp_path, held) == ["wait", "ended"]


def test_other_folders_are_free(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with holder(tmp_path):
        assert told_by(tmp_path / "other") == []


def test_a_folder_that_is_not_there_has_no_turns(tmp_path: Path) -> None:
    with project_lock(tmp_path / "none", lambda: None) as held:
        assert held == ()
    assert list(tmp_path.iterdir()) == []
