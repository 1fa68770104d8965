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
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.resolve.flag_check import FlagRules, flag_rules
from e2e.engine import Engine
from e2e.materials import REPOSITORY
from e2e.vllm.servers import START_SECONDS, Vllm

SCRIPT = Path(__file__).with_name("parse_commands.py")
EXAMPLES = REPOSITORY / "examples"
# What the parser looks for as soon as it is named.
TEMPLATES = EXAMPLES / "lab-quad" / "tiers" / "chat.files" / "templates"
VARIABLES = {"MODEL": "org/name", "LAB_ROUTER_TOKEN": "x", "ANVIL_ROUTER_TOKEN": "x"}
FLAGS = {
    "taken": """
        enforce-eager = true
        no-enable-prefix-caching = true
        max-num-batched-tokens = "64k"
        hf-overrides = { a = { b = 1 } }
        "compilation-config.mode" = 3
        compilation-config = { mode = 3 }
        generation-config = "vllm"
        allowed-origins = '["*"]'
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
        allowed-origins = ["*"]
        tokenizer-mode = ["a", "b"]
    """,
}
CASES = {f"{kind} {line.strip()}": line for kind, text in FLAGS.items() for line in text.splitlines() if line.strip()}
TIER = """\
schema = 1
[tiers.one]
engine = "vllm"
image = "{image}"
model = {{ path = "/models/x" }}
flag_check = false
flags.{line}
"""


def rendered_commands() -> dict[str, list[str]]:
    """Return what each service of the example hosts runs that runs vLLM."""
    found = {}
    for root in sorted(EXAMPLES.glob("*/docker-compose*.yml")):
        for name, service in compose_config(root.parent, root.name, env=VARIABLES)["services"].items():
            if service.get("entrypoint") == ["vllm"]:
                found[f"{root.parent.name} {name}"] = service["command"]
    return found


def flag_commands(image: str, folder: Path) -> dict[str, list[str]]:
    """Return the command line that is rendered for each flag above."""
    found = {}
    for case, line in CASES.items():
        (folder / "box.toml").write_text(TIER.format(image=image, line=line.strip()), "utf-8")
        tree = Generator().render(folder / "box.toml").tree
        found[case] = tree.data["tiers/one.yml"]["services"]["one"]["command"]
    return found


@pytest.fixture(scope="module")
def parsed(engine: Engine, vllm: Vllm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ask the real parser about all command lines at once, since importing it takes most of the time."""
    commands = rendered_commands() | flag_commands(vllm.image, tmp_path_factory.mktemp("flags"))
    mounts = [f"--volume={SCRIPT}:/parse_commands.py:ro", f"--volume={TEMPLATES}:/templates:ro"]
    run = ["docker", "run", "--rm", "--interactive", "--network=none", "--entrypoint=python3"]
    done = subprocess.run(
        [*run, *mounts, vllm.image, "/parse_commands.py"],
        env=dict(engine.environment),
        input=json.dumps({"commands": commands}),
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
        "spark-a big",
        "spark-b big",
    }
    assert {name: parsed["commands"][name] for name in names} == dict.fromkeys(names, "")


@pytest.mark.parametrize("case", CASES)
def test_the_flag_check_says_what_the_parser_says(case: str, parsed: Mapping[str, Any], rules: FlagRules) -> None:
    said, taken = parsed["commands"][case], case.startswith("taken")
    ((name, value),) = tomllib.loads(CASES[case]).items()
    findings = [finding for finding in rules.findings(name, value) if finding.severity == "error"]

    assert (said == "", findings == []) == (taken, taken), (said, findings)


def test_the_timeline_has_every_flag_that_the_parser_has(parsed: Mapping[str, Any], rules: FlagRules) -> None:
    known = set()
    for flag in rules.timeline.flags(rules.release.version):
        known |= {f"--{flag.name}", *flag.aliases, *(f"--{name}" for name in flag.negations)}

    assert set(parsed["flags"]) - {"-h", "--help"} == known
