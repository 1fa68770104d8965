"""Programs of the machine, and what they answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.machine import subprocesses
from anvil_gen.machine.subprocesses import Answer, run_program


def test_what_a_program_prints() -> None:
    assert run_program(["sh", "-c", "echo out; echo err >&2; exit 3"]) == Answer(code=3, stdout="out\n", stderr="err\n")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    assert run_program(["not-there-at-all"]) == Answer(stderr="not found on the PATH")
    assert run_program([str(tmp_path)]) == Answer(stderr="cannot be run: permission denied")


def test_a_program_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocesses, "_SECONDS", 0.05)

    assert run_program(["sleep", "60"]).code is None
