"""A render that is killed before any one of the system calls that change a file, and the next one too.

Each file is whole at any instant, and Compose accepts them; reading changes nothing, and the next render ends it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from compose_cli import compose_config
from effort import EFFORT
from running import INVENTORY, ROUTER, SECOND_TIER, anvil_gen, fleet, for_folder
from strace_cli import Call, changing_calls, kill_before, unknown_calls

from anvil_gen.deploy.contained_folder import is_temporary
from anvil_gen.deploy.overwrite_check import overwrite_errors
from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.deploy.plan import Plan
from anvil_gen.resolve.root_files import ROOT_FILE

RENDER = [sys.executable, "-m", "anvil_gen", "render", "box"]
CHECK = [*RENDER, "--check"]
AT_ONCE = 2
STEP = 1 if EFFORT > 1 else 3
"""Each of so many calls is killed; all of them with `--long`."""
AGAIN = 4
"""Each of so many kills is followed by another one, of the render after it."""

Snapshot = dict[str, bytes | None]
"""Everything in a folder, the state too: a file's bytes, None for a folder."""


class Scenario(NamedTuple):
    """A fleet whose inventory has changed since its tree was rendered."""

    fleet: Path
    env: Mapping[str, str]
    rendered: Plan
    old: Snapshot
    new: Snapshot


@pytest.fixture(params=["first", "update"])
def scenario(request: pytest.FixtureRequest, tmp_path: Path) -> Scenario:
    """A first render, and one in which a tier changes while another one and the router go."""
    inventory = INVENTORY if request.param == "first" else INVENTORY.replace("65536", "32768")
    folder, done = tmp_path / "fleet", tmp_path / "done"
    before: Snapshot = {}
    if request.param == "update":
        fleet(folder, box=INVENTORY + SECOND_TIER + ROUTER)
        before = snapshot(finish(Generator().render(folder / "hosts" / "box.toml")))
    fleet(folder, box=inventory)
    rendered = Generator().render(folder / "hosts" / "box.toml")
    shutil.copytree(folder, done)
    after = snapshot(finish(for_folder(rendered, done / "deploy" / "box")))
    # Nothing is written beside the tree, so that each run makes the same calls.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "XDG_CACHE_HOME": str(tmp_path)}
    anvil_gen("render", "box", "--stdout", cwd=folder, env=env)
    return Scenario(folder, env, rendered, before, after)


def finish(rendered: Plan) -> Path:
    """Write a rendered tree, and return its folder."""
    write([rendered])
    return rendered.host.output


def snapshot(folder: Path) -> Snapshot:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def copied(folder: Path, suffix: str) -> Path:
    return Path(shutil.copytree(folder, folder.with_name(f"{folder.name}-{suffix}")))


def test_killed_before_any_change(scenario: Scenario) -> None:
    whole = copied(scenario.fleet, "whole")
    calls = changing_calls(RENDER, whole, below=whole / "deploy", env=scenario.env)
    assert snapshot(whole / "deploy" / "box") == scenario.new
    assert len(calls) >= 20

    def killed(number: int) -> int:
        case = copied(scenario.fleet, str(number))
        kill_before(moved(calls[number], whole, case), RENDER, case, env=scenario.env)
        assert_whole(scenario, case)
        if number % AGAIN == 0:
            kill_again(scenario, case)
        code = assert_checked(scenario, case)
        assert_settled(scenario, case)
        shutil.rmtree(case)
        return code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(killed, sorted({*range(0, len(calls), STEP), len(calls) - 1})))
    # Only at the very end, the tree is the new one already.
    assert codes == sorted(codes, reverse=True)
    assert set(codes) == {0, 2}


def test_no_other_call_changes_a_file(scenario: Scenario) -> None:
    below = scenario.fleet / "deploy"

    assert unknown_calls(RENDER, scenario.fleet, below=below, env=scenario.env) == set()
    assert unknown_calls(CHECK, scenario.fleet, below=below, env=scenario.env) == set()


def test_a_check_changes_nothing(scenario: Scenario) -> None:
    below = scenario.fleet / "deploy"
    assert changing_calls(CHECK, scenario.fleet, below=below, env=scenario.env) == []

    calls = changing_calls(RENDER, copied(scenario.fleet, "whole"), below=Path("/deploy"), env=scenario.env)
    renames = [call for call in calls if call.name.startswith("rename")]
    case = copied(scenario.fleet, "case")
    whole = scenario.fleet.with_name(f"{scenario.fleet.name}-whole")
    kill_before(moved(renames[len(renames) // 2], whole, case), RENDER, case, env=scenario.env)
    assert anvil_gen("render", "box", "--check", cwd=case, env=scenario.env).code == 2
    assert changing_calls(CHECK, case, below=case / "deploy", env=scenario.env) == []
    assert "files do not match the inventory" in anvil_gen("up", "box", cwd=case, env=scenario.env).stderr


def moved(call: Call, whole: Path, case: Path) -> Call:
    """Return a call as it is made in a copy."""
    return call._replace(arguments=call.arguments.replace(str(whole), str(case)))


def kill_again(scenario: Scenario, case: Path) -> None:
    """Kill the render that comes after a kill too, in its midst."""
    whole = copied(case, "again")
    calls = changing_calls(RENDER, whole, below=whole / "deploy", env=scenario.env)
    assert snapshot(whole / "deploy" / "box") == scenario.new
    kill_before(moved(calls[len(calls) // 2], whole, case), RENDER, case, env=scenario.env)
    assert_whole(scenario, case)
    shutil.rmtree(whole)


def assert_whole(scenario: Scenario, case: Path) -> None:
    """Each file is the old or the new one, one that both trees have is there, and Compose accepts the root file."""
    box = case / "deploy" / "box"
    found = {path: text for path, text in snapshot(box).items() if not is_temporary(path)}
    for path, text in found.items():
        if not path.startswith(".anvil-gen"):
            assert path == ROOT_FILE or text in (scenario.old.get(path), scenario.new.get(path)), path
    assert {path for path in scenario.old if path in scenario.new} <= found.keys()
    if ROOT_FILE in found:
        compose_config(box, ROOT_FILE, env={"ROUTER_TOKEN": ""})


def assert_checked(scenario: Scenario, case: Path) -> int:
    """Return the exit code of a check, which tells of a tree that is not the new one, and changes nothing."""
    before = snapshot(case / "deploy"), times(case / "deploy")
    outcome = for_folder(scenario.rendered, case / "deploy" / "box")
    files = outcome.files
    assert (snapshot(case / "deploy"), times(case / "deploy")) == before
    assert [*overwrite_errors(outcome)] == []
    return 2 if files else 0


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def assert_settled(scenario: Scenario, case: Path) -> None:
    """After the next render, there is the new tree and nothing else."""
    rendered = for_folder(scenario.rendered, case / "deploy" / "box")
    finish(rendered)
    assert snapshot(case / "deploy") == {"box": None, **{f"box/{path}": it for path, it in scenario.new.items()}}
