"""From nothing to the first word: `init`, `up --wait`, and the question that `init` prints, with a real model."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from e2e.box import Box
from e2e.engine import CARDS, Engine


def new_fleet(box: Box, engine: Engine, **found: str) -> dict[str, Any]:
    """Lay down a fleet for a machine that has a model already, under names and ports of the test's own.

    What is in `found` is given, and the rest as it is found; returns what `init` answers.
    """
    model = next(path.name for path in engine.model_folder.iterdir() if path.suffix == ".gguf")
    answers = {
        "machine": box.prefix,
        "models": str(engine.model_folder),
        "preset": "own",
        "own_model": model,
        "router_port": str(box.port("router")),
        "first_port": str(box.port("chat")),
        **found,
    }
    given = [word for name, answer in answers.items() for word in ("-d", f"{name}={answer}")]
    answer: dict[str, Any] = json.loads(box.anvil_gen("init", "--yes", "--json", *given).stdout)
    inventory = box.folder / "hosts" / f"{box.prefix}.toml"
    own_name = f'[tiers.chat]\ncontainer_name = "{box.name("chat")}"\n'
    inventory.write_text(inventory.read_text("utf-8").replace("[tiers.chat]\n", own_name), "utf-8")
    box.anvil_gen("render", box.prefix)
    return answer


def test_the_commands_that_init_prints_lead_to_the_first_word(box: Box, engine: Engine) -> None:
    answer = new_fleet(box, engine, gpus="")
    up, ask = answer["next"]
    box.anvil_gen("doctor", box.prefix)
    engine.run("sh", "-euc", f"PATH={Path(sys.executable).parent}:$PATH; {up}", cwd=box.folder)
    streamed = engine.run("sh", "-euc", ask.replace("curl", "curl --silent --noproxy '*'"), cwd=box.folder).stdout
    words = [found for found in re.findall(r'"content":"((?:[^"\\]|\\.)*)"', streamed) if found.strip()]

    assert answer["repository"] is True
    assert "error" not in streamed
    assert len(words) > 1
    assert streamed.rstrip().endswith("data: [DONE]")


def test_a_card_that_was_found_is_the_one_that_the_model_gets(box: Box, engine: Engine, machine_path: str) -> None:
    box.environment["PATH"] = machine_path
    answer = new_fleet(box, engine)
    gpus = tomllib.loads((box.folder / "hosts" / f"{box.prefix}.toml").read_text("utf-8"))["gpus"]
    box.anvil_gen("doctor", box.prefix)
    box.anvil_gen("up", box.prefix, "--wait")
    seen = engine.docker("exec", box.name("chat"), "nvidia-smi", "-L").splitlines()

    # What another test runs meanwhile is told too, rightly.
    assert [one for one in answer["lacks"] if one["code"] != "compose-project-runs-already"] == []
    assert {(table["uuid"], table["memory_mib"]) for table in gpus.values()} == {
        (card.uuid, card.memory_mib) for card in CARDS
    }
    largest = max(CARDS, key=lambda card: card.memory_mib)
    assert [largest.uuid in line for line in seen] == [True]
