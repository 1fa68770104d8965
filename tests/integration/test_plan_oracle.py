"""What a plan says of each service, against the hashes of the real Docker Compose, over random edits."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from compose_cli import compose_command
from effort import EFFORT
from plans import LAB, lab_fleet, plan_of
from random_edits import inventories

from anvil_gen.deploy.pipeline import generator, write_trees
from anvil_gen.review.host_plan import HostPlan

TRIES = 10 if EFFORT == 1 else 30 * EFFORT
MODES = ("docker-compose.yml", "docker-compose.coding.yml")


def hashes(folder: Path, root: str) -> dict[str, str]:
    """Return what Compose compares containers with."""
    command = [*compose_command(), "-f", root, "config", "--hash", "*"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return dict(line.split() for line in done.stdout.splitlines())


def observed(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Return what Compose does to the services of a mode that differ."""
    words = {(True, False): "stop", (False, True): "start", (True, True): "recreate"}
    return {
        name: words[name in before, name in after]
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }


def after_rollout(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Return what Compose does to the services of a mode; what reloads the router is the router's reload."""
    found = observed(before, after)
    if found.pop("router-reload", None) and "router" not in found:
        found["router"] = "reload"
    return found


def told_of(plan: HostPlan, root: str) -> dict[str, str]:
    """Return what a plan says of the services of a mode."""
    return {
        one.service: one.consequence.value
        for one in plan.services
        if one.root == root and not one.consequence.value.startswith("none")
    }


@pytest.mark.parametrize("seed", [20] if EFFORT == 1 else [random.randrange(10**6)])
def test_consequences_are_what_compose_would_do(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    fleet = lab_fleet(tmp_path)
    path, deploy = fleet / LAB, fleet / "deploy" / "lab-quad"
    original = path.read_text("utf-8")
    before = {root: hashes(deploy, root) for root in MODES}
    for text, _ in zip(inventories(original, path, dice), range(TRIES), strict=False):
        path.write_text(text, "utf-8")
        plan = plan_of(fleet)
        write_trees([generator().render(path)])
        found = {root: after_rollout(before[root], hashes(deploy, root)) for root in MODES}
        default, coding = (told_of(plan, root) for root in MODES)
        assert default == found[MODES[0]], f"seed {seed}:\n{text}"
        assert coding.items() <= found[MODES[1]].items(), f"seed {seed}:\n{text}"
        assert found[MODES[1]].keys() <= {*default, *coding}, f"seed {seed}:\n{text}"
        path.write_text(original, "utf-8")
        write_trees([generator().render(path)])
