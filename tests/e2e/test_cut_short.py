"""An `up` that is killed or interrupted at any moment is healed by the next one; two at once end well."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from effort import EFFORT

from anvil_gen.machine.project_lock import project_lock
from e2e.box import Box
from e2e.test_drift import life, two_tiers

WAIT_SECONDS = 300
KILLS = 200 if EFFORT > 1 else 8


def listed(box: Box) -> list[str]:
    """Return what lies in the tree."""
    return sorted(path.name for path in box.tree.iterdir())


def up_and_whole(box: Box, files: list[str]) -> None:
    """Bring the box up again, and see that it is as it should be, with nothing left over."""
    done = box.anvil_gen("up", "box", check=False)
    assert done.code == 0, done.stdout + done.stderr
    assert all(box.container(name)["State"]["Running"] for name in ("one", "two"))
    assert box.anvil_gen("status", "box", check=False).code == 0
    names = box.engine.docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"name={box.prefix}")
    assert sorted(names.split()) == sorted([box.name("one"), box.name("two")])
    assert listed(box) == files


def whole_group(process: subprocess.Popen[str]) -> None:
    """Kill `anvil-gen` and the Compose that it runs."""
    os.killpg(process.pid, signal.SIGKILL)


def alone(process: subprocess.Popen[str]) -> None:
    """Kill `anvil-gen`; its Compose goes on."""
    process.kill()


def ctrl_c(process: subprocess.Popen[str]) -> None:
    """Interrupt both, as a terminal does."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize(("end", "moments"), [(whole_group, KILLS), (alone, 3), (ctrl_c, 3)])
def test_an_up_that_is_cut_short_is_healed_by_the_next(box: Box, end: Callable[[Any], None], moments: int) -> None:
    """From the first moment to the last: recreated by a change, and now and then created from nothing."""
    inventory = two_tiers(box)
    for tier in inventory["tiers"].values():
        tier["override"] = {"stop_signal": "KILL"}
    box.render(inventory)
    files = listed(box)
    began = time.monotonic()
    box.anvil_gen("up", "box")
    whole = time.monotonic() - began
    for number in range(moments):
        if number % 3 == 2:
            box.anvil_gen("down", "box")
        inventory["tiers"]["two"]["environment"]["LEVEL"] = f"{number} again"
        box.render(inventory)
        process = box.start("up", "box")
        time.sleep(whole * number / (moments - 1))
        end(process)
        process.communicate(timeout=WAIT_SECONDS)
        up_and_whole(box, files)
    before = life(box, "one", "two")
    up_and_whole(box, files)
    assert life(box, "one", "two") == before


def test_two_at_once_both_end_well(box: Box) -> None:
    box.render(two_tiers(box))
    files = listed(box)
    both = [box.start("up", "box", "--wait") for _ in range(2)]
    ended = [process.communicate(timeout=WAIT_SECONDS) for process in both]

    assert [process.returncode for process in both] == [0, 0], ended
    up_and_whole(box, files)


@pytest.mark.parametrize("verb", ["up", "down", "restart"])
def test_a_verb_that_changes_what_runs_waits_for_its_turn(box: Box, verb: str) -> None:
    box.render(two_tiers(box))
    box.anvil_gen("up", "box")
    before = life(box, "one", "two")
    with project_lock(box.tree, lambda: None):
        process = box.start(verb, "box")
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting: another anvil-gen run is changing box\n"
        assert life(box, "one", "two") == before
    process.communicate(timeout=WAIT_SECONDS)

    assert process.returncode == 0
