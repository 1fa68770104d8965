"""What `status` and `up` ask Docker: each question once, however early it was asked."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from running import INVENTORY, anvil_gen, fleet

DOCKER = """#!/bin/sh
echo "$*" >> "{log}"
case "$*" in
*--hash*) echo "fast 0123" ;;
*version*) echo 28 ;;
*inspect*) echo "[]" ;;
esac
"""


def questions(folder: Path, *words: str, inventory: str = INVENTORY) -> tuple[int, Counter[str]]:
    """Run a verb against a Docker that has nothing; return its exit code, and how often each question was asked."""
    home, log, programs = fleet(folder / "home", box=inventory), folder / "log", folder / "bin"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER.format(log=log))
    (programs / "docker").chmod(0o755)
    log.touch()
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}
    anvil_gen("render", "box", cwd=home)
    code = anvil_gen(*words, cwd=home, env=env).code
    return code, Counter(log.read_text().splitlines())


@pytest.mark.parametrize("words", [("status", "box"), ("status",), ("up", "box"), ("up", "box", "fast")], ids=" ".join)
def test_no_question_is_asked_twice(words: tuple[str, ...], tmp_path: Path) -> None:
    _, asked = questions(tmp_path, *words)

    assert len([one for one in asked if "--hash" in one]) == 1
    assert [one for one, times in asked.items() if times > 1 and ("--hash" in one or one.startswith("ps "))] == []


def test_nothing_is_asked_about_what_is_no_toml(tmp_path: Path) -> None:
    code, asked = questions(tmp_path, "status", "box", inventory="schema = 1\n[host]\nname =\n")

    assert (code, asked) == (1, Counter())
