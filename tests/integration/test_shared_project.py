"""A project's name that somebody's own compose file has too: what stops all else of a project is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from inspected import inspected
from running import INVENTORY, anvil_gen, fleet

MODE = '[modes.night]\ntiers = ["fast"]\n'
DOCKER = """#!/bin/sh
echo "$*" >> {log}
case "$*" in
*"ps --all"*) echo "1 running vllm:1" ;;
*"container inspect"*) cat {inspected} ;;
*--hash*) echo "fast 0123" ;;
*version*) echo 28 ;;
esac
"""


@pytest.mark.parametrize("verb", [["down", "box"], ["up", "box", "--mode", "night"]], ids=" ".join)
def test_all_else_of_a_project_is_not_removed(verb: list[str], tmp_path: Path) -> None:
    home = fleet(tmp_path / "home", box=INVENTORY.replace("[paths]", '[host]\nproject = "cloud"\n[paths]') + MODE)
    assert anvil_gen("render", "box", cwd=home).code == 0
    theirs, log, programs = tmp_path / "cloud" / "compose.yaml", tmp_path / "log", tmp_path / "bin"
    theirs.parent.mkdir()
    theirs.touch()
    labels = {
        "com.docker.compose.project": "cloud",
        "com.docker.compose.service": "db",
        "com.docker.compose.project.working_dir": str(theirs.parent),
        "com.docker.compose.project.config_files": str(theirs),
    }
    (tmp_path / "inspected").write_text(json.dumps([inspected(Labels=labels).raw]))
    programs.mkdir()
    (programs / "docker").write_text(DOCKER.format(log=log, inspected=tmp_path / "inspected"))
    (programs / "docker").chmod(0o755)

    done = anvil_gen(*verb, cwd=home, env={"PATH": f"{programs}:{os.environ['PATH']}"})

    assert done.code == 1
    assert "project taken twice" in done.stderr
    assert str(theirs) in done.stderr
    assert "--remove-orphans" not in log.read_text()
