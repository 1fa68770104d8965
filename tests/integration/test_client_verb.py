"""`anvil-gen client` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running import SECOND_TIER, Result, anvil_gen, fleet

INVENTORY = """schema = 1
[tiers.fast]
engine = "vllm"
port = 30001
model = { path = "/m/x" }
[tiers.night]
engine = "vllm"
port = 30002
standby = true
model = { path = "/m/y" }
[modes.dark]
tiers = ["night"]
[router]
api_key_env = "BOX_KEY"
aliases.chat = "fast"
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Return a fleet of one machine."""
    return fleet(tmp_path, box=INVENTORY)


def client(box: Path, *arguments: str) -> Result:
    """Run the verb, with a key that must not be told."""
    done = anvil_gen("client", "box", *arguments, cwd=box, env={"BOX_KEY": "s3cret"})
    assert "s3cret" not in done.stdout + done.stderr
    return done


def test_it_lists_what_there_is(box: Path) -> None:
    assert client(box).stdout == (
        "http://127.0.0.1:8000/v1  the key is in $BOX_KEY\n"
        "  fast  chat, tier fast\n"
        "  chat  chat, tier fast\n"
        "\n"
        "ready to paste:\n"
        "\n"
        "    anvil-gen client box aider\n"
        "    anvil-gen client box continue\n"
        "    anvil-gen client box curl\n"
        "    anvil-gen client box env\n"
        "    anvil-gen client box litellm\n"
        "    anvil-gen client box openai\n"
        "    anvil-gen client box opencode\n"
    )


def test_a_mode_is_kept_in_what_is_to_be_typed(box: Path) -> None:
    said = client(box, "--mode", "dark").stdout

    assert "  night  chat, tier night\n" in said
    assert "    anvil-gen client box curl --mode dark\n" in said


def test_it_answers_programs(box: Path) -> None:
    said = json.loads(client(box, "env", "--mode", "dark", "--json").stdout)

    assert (said["format"], said["host"], said["mode"]) == (1, "box", "dark")
    assert said["endpoints"] == [
        {
            "base_url": "http://127.0.0.1:8000/v1",
            "key_env": "BOX_KEY",
            "models": [{"name": "night", "tier": "night", "task": "chat"}],
        }
    ]
    assert said["text"].startswith("export OPENAI_BASE_URL=")
    assert "curl" in said["kinds"]


@pytest.mark.parametrize(
    ("arguments", "summary"), [(("nope",), "unknown client"), (("--mode", "nope"), "unknown mode")]
)
def test_what_there_is_not_is_told(box: Path, arguments: tuple[str, ...], summary: str) -> None:
    done = client(box, *arguments)

    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {summary}\n")


def test_tiers_without_a_router_each_have_their_address(tmp_path: Path) -> None:
    inventory = INVENTORY.partition("[tiers.night]")[0] + SECOND_TIER.replace('"qwen"', '"/m/q"')
    done = anvil_gen("client", "box", cwd=fleet(tmp_path, box=inventory))

    assert done.stdout.startswith(
        "http://127.0.0.1:30001/v1  no key\n  fast  chat, tier fast\n"
        "http://127.0.0.1:30000/v1  no key\n  heavy  chat, tier heavy\n"
    )
