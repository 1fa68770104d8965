"""What is rendered, and what the flag check says, against the real parser of the image's version."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine as EngineData
from anvil_gen.resolve.command_line import flag_arguments
from anvil_gen.resolve.flag_check import FlagRules, flag_rules
from anvil_gen.values import compose_text
from e2e.engine import Engine
from e2e.materials import REPOSITORY
from e2e.vllm.servers import START_SECONDS, Vllm

SCRIPT = Path(__file__).with_name("parse_commands.py")
EXAMPLES = REPOSITORY / "examples"
VARIABLES = {"MODEL": "org/name", "LAB_ROUTER_TOKEN": "x", "ANVIL_ROUTER_TOKEN": "x"}
FLAGS = {
    "taken": """
        enforce-eager = true
        no-enable-prefix-caching = true
        max-model-len = "64k"
        device-memory-utilization = 0.5
        hf-overrides = { a = { b = 1 } }
        "compilation-config.mode" = 3
        compilation-config = { mode = 3 }
        generation-config = "vllm"
        allowed-origins = ["*"]
        max-lora-rank = 32
        enable-log-requests = true
        shutdown-timeout = 50
        middleware = ["a.b", "c.d"]
    """,
    "refused": """
        no-such-flag = true
        task = "embed"
        swap-space = 4
        guided-decoding-backend = "auto"
        disable-log-requests = true
        max-lora-rank = 24
        max-logprobs = 1.5
        enable-log-requests = "true"
        compilation-config = { levle = 3 }
        limit-mm-per-prompt = "{image: 3"
        seed = "x"
        tokenizer-mode = ["a", "b"]
    """,
}
CASES: dict[str, tuple[str, Any]] = {
    f"{kind} {name}": (name, value) for kind, text in FLAGS.items() for name, value in tomllib.loads(text).items()
}


def rendered_commands() -> dict[str, list[str]]:
    """Return what each service of the example hosts runs that runs vLLM."""
    found = {}
    for root in sorted(EXAMPLES.glob("*/docker-compose*.yml")):
        for name, service in compose_config(root.parent, root.name, env=VARIABLES)["services"].items():
            if service.get("entrypoint") == ["vllm"]:
                found[f"{root.parent.name} {name}"] = service["command"]
    return found


def arguments_of(name: str, value: Any, engine: EngineData) -> list[str]:
    """Return a flag as it is rendered for vLLM."""
    return [compose_text(text) for text in flag_arguments(name, value, engine.flag_style, engine.list_style)]


def flag_commands() -> dict[str, list[str]]:
    """Return a command line for each flag above."""
    engine = Catalog().engine("vllm")
    assert engine is not None
    return {case: ["serve", "org/name", *arguments_of(*flag, engine)] for case, flag in CASES.items()}


@pytest.fixture(scope="module")
def parsed(engine: Engine, vllm: Vllm) -> dict[str, Any]:
    """Ask the real parser about all command lines at once, since importing it takes most of the time."""
    run = ["docker", "run", "--rm", "--interactive", "--network=none", f"--volume={SCRIPT}:/parse_commands.py:ro"]
    done = subprocess.run(
        [*run, "--entrypoint=python3", vllm.image, "/parse_commands.py"],
        env=dict(engine.environment),
        input=json.dumps({"commands": rendered_commands() | flag_commands()}),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def rules(vllm: Vllm) -> FlagRules:
    """Return what the tool knows of the version."""
    catalog = Catalog()
    engine = catalog.engine("vllm")
    assert engine is not None
    found = flag_rules(catalog.flag_timeline("vllm"), engine, vllm.image)
    assert found is not None
    return found


def test_each_command_of_the_examples_is_taken(parsed: Mapping[str, Any]) -> None:
    names = rendered_commands().keys()

    assert names == {
        "fakoli-dark fast",
        "fakoli-dark experiment",
        "lab-quad chat",
        "lab-quad coder",
        "lab-quad experiment",
    }
    assert {name: parsed["commands"][name] for name in names} == dict.fromkeys(names, "")


@pytest.mark.parametrize("case", CASES)
def test_the_flag_check_says_what_the_parser_says(case: str, parsed: Mapping[str, Any], rules: FlagRules) -> None:
    said, taken = parsed["commands"][case], case.startswith("taken")
    findings = [finding for finding in rules.findings(*CASES[case]) if finding.severity == "error"]

    assert (said == "", findings == []) == (taken, taken), (said, findings)


def test_the_timeline_has_every_flag_that_the_parser_has(parsed: Mapping[str, Any], rules: FlagRules) -> None:
    known = set()
    for flag in rules.timeline.flags(rules.release.version):
        known |= {f"--{flag.name}", *flag.aliases, *(f"--{name}" for name in flag.negations)}

    assert set(parsed["flags"]) - {"-h", "--help"} == known
