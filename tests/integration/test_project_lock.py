"""Turns in a folder: one after the other, and what a killed process has started counts for it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from anvil_gen.machine.project_lock import project_lock

HOLD = """
import pathlib, subprocess, sys
from anvil_gen.machine.project_lock import project_lock
with project_lock(pathlib.Path(sys.argv[1]), lambda: None) as held:
    child = subprocess.Popen(["sleep", sys.argv[2]], pass_fds=held, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    child.wait()
"""


def holder(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that has its turn, in a command of its own that takes some seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip()
    return process


def waited(folder: Path) -> tuple[float, int]:
    """Have a turn; return the seconds until then, and how often a wait was told."""
    began, told = time.monotonic(), list[str]()
    with project_lock(folder, lambda: told.append("wait")):
        return time.monotonic() - began, len(told)


def test_a_turn_is_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path, 0.6):
        seconds, told = waited(tmp_path)

    assert seconds > 0.2
    assert told == 1
    assert waited(tmp_path)[1] == 0


def test_what_a_killed_process_has_started_still_has_its_turn(tmp_path: Path) -> None:
    with holder(tmp_path, 0.6) as process:
        process.kill()
        process.wait()
        seconds, told = waited(tmp_path)

    assert seconds > 0.2
    assert told == 1


def test_other_folders_are_free(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with holder(tmp_path, 0.3):
        assert waited(tmp_path / "other")[1] == 0


def test_a_folder_that_is_not_there_has_no_turns(tmp_path: Path) -> None:
    with project_lock(tmp_path / "none", lambda: None) as held:
        assert held == ()
    assert list(tmp_path.iterdir()) == []
