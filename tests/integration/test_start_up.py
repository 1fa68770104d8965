"""What a verb that changes nothing leaves unread: it starts as fast as the Compose commands that it runs allow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from places import REPOSITORY
from running import run

VERBS = {
    "status": ("cli.commands.status", "operate.status", "cli.views.services"),
    "up": ("cli.commands.up", "operate.up", "operate.up_plan", "cli.views.services"),
}
RENDERING = ("jinja2", "yaml", "tomlkit", "tree_sitter", "copier", "anvil_gen.render.renderer")


@pytest.mark.parametrize("verb", VERBS)
def test_what_renders_is_not_imported_where_nothing_is_rendered(verb: str, tmp_path: Path) -> None:
    lines = ["import sys", "import anvil_gen.cli.main", *(f"import anvil_gen.{module}" for module in VERBS[verb])]
    program = "\n".join([*lines, f"print([name for name in {RENDERING!r} if name in sys.modules])"])
    done = run(sys.executable, "-c", program, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)})

    assert (done.code, done.stdout) == (0, "[]\n"), done.stderr
