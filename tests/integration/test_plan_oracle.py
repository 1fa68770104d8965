"""What a plan says of each service, against the hashes of the real Docker Compose, over random edits."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from compose_cli import compose_command
from effort import EFFORT
from plans import LAB, lab_fleet, plan_of

from anvil_gen.deploy.pipeline import generator, write_trees
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.review.host_plan import HostPlan

TRIES = 10 if EFFORT == 1 else 30 * EFFORT
MODES = ("docker-compose.yml", "docker-compose.coding.yml")
# What somebody may write instead of, or below, a line: pattern -> texts.
CHANGES = {
    r"port = 300\d\d": ["port = 31007", "port = 31008"],
    r"context_length = \d+": ["context_length = 4096", ""],
    r"max_sequences = \d+": ["max_sequences = 7", 'image = "example.org/own:1"'],
    r"gpu_memory = \"\d+GiB\"": ['gpu_memory = "3GiB"'],
    r'served_name = "[\w.-]+"': ['served_name = "other-name"'],
    r'(repo|file) = "[^"]+"': ['repo = "org/other"'],
    r'aliases\.default = "\w+"': ['aliases.default = "writer"', 'aliases.more = "writer"', ""],
    r'bind = "0\.0\.0\.0"': ['bind = "127.0.0.1"', "", 'timeout = "7m"', "override.scale = 1"],
    r'gpus = \["\w"\]': ['gpus = ["c"]', 'gpus = ["d"]'],
    r'task = "(embedding|rerank)"': ['task = "embedding"\nstandby = true', 'task = "rerank"\nshm_size = "2g"'],
    r'restart = "unless-stopped"': [
        'restart = "no"',
        'pull_policy = "always"',
        'build = "../ui"',
        "depends_on = ['chat']",
    ],
    r'TZ = "[\w/]+"': ['TZ = "Europe/Berlin"', 'TZ = "Etc/UTC"\nlog_max_files = 5'],
    r"standby = true": ["", "standby = true\noverride.pull_policy = 'always'"],
    r'tiers = \["chat", ': ["tiers = ["],
    r"\[tiers\.(\w+)\]": ["[tiers.renamed]"],
    r"flags\.[\w-]+ = true": ["flags.seed = 3", "flags.enable-prefix-caching = false"],
}


def hashes(folder: Path, root: str) -> dict[str, str]:
    """Return what Compose compares containers with."""
    command = [*compose_command(), "-f", root, "config", "--hash", "*"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return dict(line.split() for line in done.stdout.splitlines())


def edited(text: str, dice: random.Random) -> str:
    """Return an inventory with one to three random edits."""
    for _ in range(dice.randint(1, 3)):
        pattern = dice.choice(list(CHANGES))
        places = list(re.finditer(pattern, text))
        if places:
            place = dice.choice(places)
            text = text[: place.start()] + dice.choice(CHANGES[pattern]) + text[place.end() :]
    return text


def inventories(text: str, path: Path, dice: random.Random) -> Iterator[str]:
    """Yield edited inventories that are valid."""
    while True:
        found = edited(text, dice)
        try:
            generator().render(path, text=found)
        except DiagnosticError:
            continue
        yield found


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
