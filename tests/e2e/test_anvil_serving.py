"""The real anvil-serving drives the reference machine's tree through the rendered ``serves.toml``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Result

from e2e import web
from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine
from e2e.patience import until

PROGRAM = Path(sys.executable).parent / "anvil-serving"


@pytest.fixture(scope="module")
def dark(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Make the machine fakoli-dark, for all tests here."""
    with new_box(engine, tmp_path_factory.mktemp("dark")) as box:
        box.environment |= {"ANVIL_ROUTER_TOKEN": "a key", "HOME": str(box.folder / "home")}
        (box.folder / "home").mkdir()
        box.engine.docker("volume", "create", box.name("hfcache"))
        yield box


@pytest.fixture(autouse=True)
def nothing_runs(dark: Box) -> None:
    """Render the machine as it is at first, and take down what another test may have left."""
    dark.render(dark.adapted("fakoli-dark"))
    dark.compose("down")


def serves(box: Box, action: str, *arguments: str, check: bool = True) -> Result:
    """Run an action of `anvil-serving serves` on the rendered manifest."""
    manifest = str(box.tree / "serves.toml")
    command = [str(PROGRAM), "serves", action, *arguments, "--manifest", manifest]
    return box.engine.run(*command, cwd=box.folder, env=box.environment, check=check)


def running(box: Box) -> set[str]:
    """Return which of the box's tiers run."""
    listed = box.engine.docker("ps", "--format", "{{.Names}}", "--filter", f"name={box.prefix}").split()
    return {name.removeprefix(f"{box.prefix}-") for name in listed}


def table(box: Box) -> dict[str, list[str]]:
    """Return what its `status` says, by serve: container, port, state, health."""
    rows = [line.split() for line in serves(box, "status").stdout.splitlines()[1:] if line]
    return {name: rest for name, *rest in rows}


def test_it_takes_tiers_up_and_down(dark: Box) -> None:
    fast, heavy = str(dark.port("fast")), str(dark.port("heavy"))
    assert table(dark) == {
        "heavy": [dark.name("heavy"), heavy, "absent", "-"],
        "fast": [dark.name("fast"), fast, "absent", "-"],
    }

    serves(dark, "up", "fast", "--no-router", "--confirm")
    assert running(dark) == {"fast"}
    until(lambda: table(dark)["fast"], lambda row: row == [dark.name("fast"), fast, "running", "200"])

    serves(dark, "up", "--no-router", "--confirm")
    both = {
        "heavy": [dark.name("heavy"), heavy, "running", "200"],
        "fast": [dark.name("fast"), fast, "running", "200"],
    }
    until(lambda: table(dark), lambda rows: rows == both)
    assert '"gpt-oss-20b"' in web.ask(dark.port("fast"), "/v1/models").text

    # What it has started is what anvil-gen would have: no drift, and nothing to do for `up`.
    assert dark.anvil_gen("status", "box").code == 0
    before = dark.container("fast")["Id"]
    dark.anvil_gen("up", "box", "fast", "heavy")
    assert dark.container("fast")["Id"] == before

    volumes = dark.engine.docker("volume", "ls", "--quiet", "--filter", f"name={dark.prefix}")
    serves(dark, "down", "--confirm")
    assert running(dark) == set()
    assert {name: row[2] for name, row in table(dark).items()} == {"heavy": "absent", "fast": "absent"}
    assert dark.engine.docker("volume", "ls", "--quiet", "--filter", f"name={dark.prefix}") == volumes


def test_it_runs_what_is_rendered_now(dark: Box) -> None:
    serves(dark, "up", "fast", "--no-router", "--confirm")
    inventory = dark.adapted("fakoli-dark")
    inventory["tiers"]["fast"]["context_length"] = 1024
    dark.render(inventory)
    serves(dark, "up", "fast", "--no-router", "--confirm")

    assert "--max-model-len=1024" in dark.container("fast")["Args"]
    serves(dark, "down", "fast", "--confirm")


def test_it_refuses_to_act_unasked(dark: Box) -> None:
    serves(dark, "up", "fast", "--no-router", check=False)

    assert running(dark) == set()
