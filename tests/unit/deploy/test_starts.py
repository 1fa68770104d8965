"""How long services took to start here the last time."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from plans import edit, lab_fleet, plan_of

from anvil_gen.cli.views.plan import plan_lines
from anvil_gen.deploy.starts import known_starts, remember_starts

DEEP = '{"seconds": {"fast": 1}, "more": ' + "[" * 100_000 + "]" * 100_000 + "}"


def test_the_last_start_of_each_counts(tmp_path: Path) -> None:
    assert known_starts(tmp_path) == {}
    remember_starts(tmp_path, {"fast": 71.96, "heavy": 3.0})
    remember_starts(tmp_path, {"fast": 60.0})
    remember_starts(tmp_path, {})

    assert known_starts(tmp_path) == {"fast": 60.0, "heavy": 3.0}
    assert [path.name for path in (tmp_path / ".anvil-gen").iterdir()] == ["starts.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"seconds": {"fast": "x"}}', '{"seconds": 1}', '{"seconds": {"fast": 1e999}}', DEEP],
    ids=range(7),
)
def test_a_damaged_file_knows_nothing(tmp_path: Path, text: str) -> None:
    remember_starts(tmp_path, {"fast": 1.0})
    (tmp_path / ".anvil-gen" / "starts.json").write_text(text, "utf-8")
    assert known_starts(tmp_path) == {}

    remember_starts(tmp_path, {"fast": 2.0})
    assert known_starts(tmp_path) == {"fast": 2.0}


def test_a_file_that_no_memory_holds_knows_nothing(tmp_path: Path) -> None:
    remember_starts(tmp_path, {"fast": 1.0})
    with (tmp_path / ".anvil-gen" / "starts.json").open("r+b") as file:
        file.truncate(1 << 36)

    assert known_starts(tmp_path) == {}


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / ".anvil-gen").symlink_to(tmp_path / "elsewhere")
    remember_starts(tmp_path / "output", {"fast": 1.0})

    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert known_starts(tmp_path / "output") == {}


def test_a_plan_tells_the_last_start_instead_of_the_limit(tmp_path: Path) -> None:
    fleet = lab_fleet(tmp_path)
    edit(fleet, "context_length = 16384", "context_length = 8192")
    assert "~ writer  recreate (away until its new container is ready; start: up to 10m)" in told(fleet)

    remember_starts(fleet / "deploy" / "lab-quad", {"writer": 72.0})
    assert "~ writer  recreate (away until its new container is ready; last start: 1m12s)" in told(fleet)


def told(fleet: Path) -> list[str]:
    return [click.unstyle(line) for line in plan_lines(plan_of(fleet))]
