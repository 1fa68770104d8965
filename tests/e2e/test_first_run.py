"""From nothing to the first word: `init`, `up --wait`, and the question that `init` prints, with a real model."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import running

from e2e.box import Box
from e2e.engine import Engine


@pytest.fixture
def fleet(box: Box, engine: Engine) -> tuple[Path, dict[str, Any]]:
    """A fleet of one machine that has a model already, under names and ports of the test's own; and `init`'s answer."""
    model = next(path.name for path in engine.model_folder.iterdir() if path.suffix == ".gguf")
    answers = {
        "machine": box.prefix,
        "gpus": "",
        "models": str(engine.model_folder),
        "preset": "own",
        "own_model": model,
        "router_port": str(box.port("router")),
        "first_port": str(box.port("chat")),
    }
    given = [word for name, answer in answers.items() for word in ("-d", f"{name}={answer}")]
    done = running.anvil_gen("init", "--yes", "--json", *given, cwd=box.folder, env=engine.environment)
    assert done.code == 0, done.stderr
    inventory = box.folder / "hosts" / f"{box.prefix}.toml"
    own_name = f'[tiers.chat]\ncontainer_name = "{box.name("chat")}"\n'
    inventory.write_text(inventory.read_text("utf-8").replace("[tiers.chat]\n", own_name), "utf-8")
    return box.folder, json.loads(done.stdout)


def test_the_commands_that_init_prints_lead_to_the_first_word(
    fleet: tuple[Path, dict[str, Any]], box: Box, engine: Engine
) -> None:
    folder, answer = fleet
    up, ask = answer["next"]
    box.anvil_gen("render", box.prefix)
    engine.run("sh", "-euc", f"PATH={Path(sys.executable).parent}:$PATH; {up}", cwd=folder)
    streamed = engine.run("sh", "-euc", ask.replace("curl", "curl --silent --noproxy '*'"), cwd=folder).stdout
    words = [found for found in re.findall(r'"content":"((?:[^"\\]|\\.)*)"', streamed) if found.strip()]

    assert answer["repository"] is True
    assert "error" not in streamed
    assert len(words) > 1
    assert streamed.rstrip().endswith("data: [DONE]")
