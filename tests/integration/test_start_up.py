"""What a verb that changes nothing leaves unread: it starts as fast as the Compose commands that it runs allow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from places import REPOSITORY
from running import run

VERBS = {
    "status": ("cli.commands.status", "operate.status", "cli.views.services"),
    "up": ("cli.commands.up", "operate.up", "operate.up_plan", "cli.views.services"),
}
RENDERING = ("jinja2", "yaml", "tomlkit", "tree_sitter", "copier", "anvil_gen.render.renderer")
LATE = (
    "inventory.schema",
    "inventory.decode",
    "catalog.catalog",
    "resolve.host",
    "operate.deployment",
)
"""What takes longer than Docker's first answers, and is imported meanwhile."""


def imported(modules: Sequence[str], of: Sequence[str], folder: Path) -> str:
    """Import modules of the program in a new process; return which ``of`` some others that has imported too."""
    lines = ["import sys", "import anvil_gen.cli.main", *(f"import anvil_gen.{module}" for module in modules)]
    program = "\n".join([*lines, f"print([name for name in {tuple(of)!r} if name in sys.modules])"])
    done = run(sys.executable, "-c", program, cwd=folder, env={"PYTHONPATH": str(REPOSITORY)})
    assert done.code == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_what_renders_is_not_imported_where_nothing_is_rendered(verb: str, tmp_path: Path) -> None:
    assert imported(VERBS[verb], RENDERING, tmp_path) == "[]\n"


@pytest.mark.parametrize("verb", VERBS)
def test_docker_is_asked_before_all_else_is_imported(verb: str, tmp_path: Path) -> None:
    late = [f"anvil_gen.{module}" for module in LATE]

    assert imported(VERBS[verb][:1], late, tmp_path) == "[]\n"


def test_types_of_compose_are_not_imported_where_no_own_keys_are_written(tmp_path: Path) -> None:
    assert imported(["resolve.resolve"], ["anvil_gen.inventory.compose_spec"], tmp_path) == "[]\n"
