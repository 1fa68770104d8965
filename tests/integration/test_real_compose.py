"""What real Compose reads of what unit tests show."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bare_machines import CASES, laid, look
from compose_cli import compose_config
from compose_texts import ENV_TEXT, HOSTILE

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.machine.dotenv import variables
from anvil_gen.onboard.copier_answers import answers_of
from anvil_gen.render.quoting import to_yaml
from anvil_gen.values import EnvRef, VariableText


def test_real_compose_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(ENV_TEXT.replace("$B", "B"))
    names = ("PLAIN", "SPACED", "SINGLE", "DOUBLE", "EMPTY", "HASH", "lower")
    service = {"image": "x", "environment": dict.fromkeys(names)}
    (tmp_path / "compose.yml").write_text(json.dumps({"name": "box", "services": {"s": service}}))

    assert compose_config(tmp_path, "compose.yml")["services"]["s"]["environment"] == variables(tmp_path, {})


def test_compose_accepts_what_a_first_machine_gets(tmp_path: Path) -> None:
    made = laid(tmp_path / "fleet", answers_of(look(CASES["two unlike cards, no toolkit"].at(tmp_path / "root"))))
    rendered = Generator().render(made.inventory)
    for path, text in rendered.tree.files.items():
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_text(text, "utf-8")

    services = compose_config(tmp_path / "tree", env={"ROUTER_TOKEN": "x", "HOME": os.environ["HOME"]})["services"]
    assert set(services) == {"coder", "fast", "router"}


def test_compose_reads_hostile_text_back(tmp_path: Path) -> None:
    lines = [f"      V{index}: {to_yaml(text)}" for index, text in enumerate(HOSTILE)]
    file = "\n".join(["name: strange", "services:", "  a:", "    image: x", "    environment:", *lines, ""])
    (tmp_path / "compose.yml").write_text(file, "utf-8")
    read = compose_config(tmp_path, "compose.yml", env={"X": "taken", "a": "taken"})["services"]["a"]["environment"]

    # The JSON form of `config` is itself a compose file, in which every `$` is doubled.
    assert [read[f"V{index}"].replace("$$", "$") for index in range(len(HOSTILE))] == HOSTILE


def test_only_a_variable_is_interpolated(tmp_path: Path) -> None:
    text = VariableText(("a$B-", EnvRef(name="X", default="d$e"), "-", EnvRef(name="Y", default="d$e"), "-$$"))
    file = f"name: strange\nservices:\n  a:\n    image: x\n    hostname: {to_yaml(text)}\n"
    (tmp_path / "compose.yml").write_text(file, "utf-8")
    read = compose_config(tmp_path, "compose.yml", env={"X": "set", "B": "taken", "e": "taken"})

    assert read["services"]["a"]["hostname"].replace("$$", "$") == "a$B-set-d$e-$$"
