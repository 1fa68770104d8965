"""Texts of strangers on a terminal: nothing in them moves its cursor, renames its window, or hides a line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from plans import commit, git
from running import INVENTORY, ROUTER, anvil_gen, fleet, run

HOSTILE = "\x1b]0;renamed\x07\x9b2J\rover\x08\u202eesrever\x1b[8mhidden"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
KEY = json.dumps(HOSTILE).replace("\x9b", "\\u009b")
VERBS = ["render box", "render box --check", "plan box", "plan box --format markdown", "plan box --format github"]


def controls(home: Path, *verbs: str) -> dict[str, list[str]]:
    """Return what each verb prints that a terminal would obey."""
    done = {verb: anvil_gen(*verb.split(), cwd=home) for verb in verbs}
    assert any(one.stdout + one.stderr for one in done.values())
    return {verb: found for verb, one in done.items() if (found := CONTROL.findall(one.stdout + one.stderr))}


@pytest.mark.parametrize(
    "more",
    [
        f"[tiers.fast.environment]\n{KEY} = 'x'\n",
        f"[tiers.fast.environment]\nA = {KEY}\n",
        f"[tiers.fast.override.labels]\n{KEY} = {KEY}\n",
        f"[tiers.{KEY}]\nengine = {KEY}\n",
        f"[{KEY}]\n",
        f"[host]\nproject = {KEY}\n",
    ],
    ids=["a name", "a value", "a label", "a tier", "a key", "a project"],
)
def test_of_an_inventory(more: str, tmp_path: Path) -> None:
    home = fleet(tmp_path, box=INVENTORY + ROUTER)
    anvil_gen("render", "box", cwd=home)
    fleet(home, box=INVENTORY + ROUTER + more)

    assert controls(home, "plan box", "render box --check", "render box") == {}


def test_of_a_tree_a_file_and_a_ref(tmp_path: Path) -> None:
    home = fleet(tmp_path, box=INVENTORY + ROUTER)
    anvil_gen("render", "box", cwd=home)
    tree = home / "deploy" / "box"
    for file in ("tiers/fast.yml", "router/haproxy.cfg"):
        (tree / file).write_text((tree / file).read_text() + f"# {HOSTILE}\n", newline="")
    (tree / "tiers" / f"{HOSTILE.replace('/', '')}.yml").write_text((tree / "tiers" / "fast.yml").read_text())
    (home / "requirements.txt").write_text(f"anvil-gen=={HOSTILE}\n", newline="")
    git(home, "init", "-q")
    commit(home)
    (home / "requirements.txt").write_text("anvil-gen==1\n")
    fleet(home, box=INVENTORY)

    verbs = ("plan box --against HEAD", "plan box --against HEAD --format markdown", *VERBS)
    assert controls(home, *verbs, "render box --force") == {}


def test_colours_and_progress_of_our_own_stay() -> None:
    program = (
        "import sys, click; from anvil_gen.cli.visible_output import make_output_visible; make_output_visible();"
        "click.echo(click.style('x', fg='red', bold=True) + chr(27) + '[8my', color=True);"
        "click.echo(chr(27) + '[2F' + chr(27) + '[J', color=True, err=True)"
    )
    done = run(sys.executable, "-c", program, cwd=Path(__file__).parents[2])

    assert done.stdout == "\x1b[31m\x1b[1mx\x1b[0m\\x1b[8my\n"
    assert done.stderr == "\x1b[2F\x1b[J\n"
