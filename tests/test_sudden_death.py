"""A render that is killed before any one of the system calls that change a file, and again while it is recovered.

Each file is whole at any instant, and the next verb leaves the old tree or the new one, and nothing else.
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
from msgspec.structs import replace
from running import INVENTORY, ROUTER, SECOND_TIER, anvil_gen, fleet
from strace_cli import changing_calls, kill_before, unknown_calls

from anvil_gen.deploy.pipeline import Generator, plan, write
from anvil_gen.deploy.plan import Rendered

RENDER = [sys.executable, "-m", "anvil_gen", "render", "box"]
CHECK = [*RENDER, "--check"]
STATE = ".anvil-gen/state.json"
AT_ONCE = 2

Snapshot = dict[str, bytes | None]
"""Everything in a folder, the state too: a file's bytes, None for a folder."""


class Scenario(NamedTuple):
    """A fleet whose inventory has changed since its tree was rendered."""

    fleet: Path
    env: Mapping[str, str]
    rendered: Rendered
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
    after = snapshot(finish(replace(rendered, output=done / "deploy" / "box")))
    # Nothing is written beside the tree, so that each run makes the same calls.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "XDG_CACHE_HOME": str(tmp_path)}
    anvil_gen("render", "box", "--stdout", cwd=folder, env=env)
    return Scenario(folder, env, rendered, before, after)


def finish(rendered: Rendered) -> Path:
    """Write a rendered tree, and return its folder."""
    write([plan(rendered)])
    return rendered.output


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
        call = calls[number]._replace(arguments=calls[number].arguments.replace(str(whole), str(case)))
        kill_before(call, RENDER, case, env=scenario.env)
        assert_whole(scenario, case)
        again = killed_again(scenario, case)
        shutil.rmtree(case)
        return again

    with ThreadPoolExecutor(AT_ONCE) as pool:
        again = list(pool.map(killed, range(len(calls))))
    # Nothing is left to recover only before the first change.
    assert sum(again) >= len(calls)


def test_no_other_call_changes_a_file(scenario: Scenario) -> None:
    below = scenario.fleet / "deploy"

    assert unknown_calls(RENDER, scenario.fleet, below=below, env=scenario.env) == set()
    assert unknown_calls(CHECK, scenario.fleet, below=below, env=scenario.env) == set()


def killed_again(scenario: Scenario, case: Path) -> int:
    """Kill the verb after a kill too, before each of its changes; return how many there were."""
    whole = copied(case, "check")
    calls = changing_calls(CHECK, whole, below=whole / "deploy", env=scenario.env)
    assert_settled(scenario, whole)
    for number, call in enumerate(calls):
        twice = copied(case, str(number))
        there = call._replace(arguments=call.arguments.replace(str(whole), str(twice)))
        kill_before(there, CHECK, twice, env=scenario.env)
        assert_whole(scenario, twice)
        assert_settled(scenario, twice)
        shutil.rmtree(twice)
    shutil.rmtree(whole)
    assert_settled(scenario, case)
    return len(calls)


def assert_whole(scenario: Scenario, case: Path) -> None:
    """Each file is the old or the new one; one that both trees have is there."""
    found = snapshot(case / "deploy" / "box")
    for path, old, new in ((path, scenario.old.get(path), scenario.new.get(path)) for path in found):
        if path == STATE or not path.startswith(".anvil-gen"):
            assert found[path] in (old, new), path
    assert {path for path in scenario.old if path in scenario.new} <= found.keys()


def assert_settled(scenario: Scenario, case: Path) -> None:
    """After `render --check` there is the old tree or the new one, and after `render` the new one: nothing else."""
    rendered = replace(scenario.rendered, output=case / "deploy" / "box")
    outcome = plan(rendered)
    assert snapshot(rendered.output) in (scenario.old, scenario.new)
    write([outcome])
    assert snapshot(case / "deploy") == {"box": None, **{f"box/{path}": it for path, it in scenario.new.items()}}
