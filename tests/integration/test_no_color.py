"""NO_COLOR holds for all that is printed, errors too."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from running import INVENTORY, fleet


@pytest.mark.parametrize("arguments", [["render", "box"], ["render", "nope"], ["bogus"], ["--help"]], ids=" ".join)
@pytest.mark.parametrize("no_color", [True, False])
def test_on_a_terminal(arguments: list[str], no_color: bool, tmp_path: Path) -> None:
    fleet(tmp_path, box=INVENTORY)
    reader, writer = pty.openpty()
    env = {**os.environ, "TERM": "xterm"} | ({"NO_COLOR": "1"} if no_color else {})
    if not no_color:
        env.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "anvil_gen", *arguments]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdin=writer, stdout=writer, stderr=writer)
    os.close(writer)
    shown = b""
    try:
        while piece := os.read(reader, 4096):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(reader)
    process.wait()

    assert shown
    assert (b"\x1b[" in shown) is (not no_color and arguments[0] == "render")
