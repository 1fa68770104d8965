"""`anvil-gen client` as it is typed."""

from __future__ import annotations

import json
from hashlib import sha256
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


DIGEST = f'api_key_sha256.laptop = "{"0" * 64}"\n'


def test_a_new_key_is_shown_once_and_its_digest_is_a_line_of_the_inventory(box: Path) -> None:
    """Nothing is written, and the line is all that is needed: also where the inventory is not valid without it."""
    inventory = box / "hosts" / "box.toml"
    inventory.write_text(inventory.read_text("utf-8").replace('api_key_env = "BOX_KEY"', 'bind = "0.0.0.0"'), "utf-8")
    before = [path for path in box.rglob("*") if path.is_file()]
    said = client(box, "--new-key", "the.laptop").stdout

    key, line = (text.strip() for text in said.splitlines() if text.startswith("    "))
    assert [path for path in box.rglob("*") if path.is_file()] == before
    assert line == f'api_key_sha256."the.laptop" = "{sha256(key.encode()).hexdigest()}"'
    assert len(key) > 40
    assert said.count(key) == 1
    assert client(box, "--new-key", "the.laptop").stdout != said
    with inventory.open("a", encoding="utf-8") as opened:
        opened.write(f"{line}\n")
    assert anvil_gen("render", "box", cwd=box).code == 0


def test_a_new_key_for_programs(box: Path) -> None:
    said = json.loads(client(box, "--new-key", "laptop", "--json").stdout)

    assert said["line"] == f'api_key_sha256.laptop = "{sha256(said["key"].encode()).hexdigest()}"'


@pytest.mark.parametrize(
    "arguments",
    [
        ("--new-key", "a b"),
        ("--new-key", "sk-0123456789abcdefghij"),
        ("--new-key", ""),
        ("curl", "--new-key", "laptop"),
    ],
)
def test_a_key_for_nobody_is_a_mistake_of_use(box: Path, arguments: tuple[str, ...]) -> None:
    done = client(box, *arguments)

    assert (done.code, done.stdout) == (1, "")
    assert "--new-key" in done.stderr


def test_a_key_in_place_of_its_digest_is_known_for_one(box: Path) -> None:
    """Keys that are made here look like keys, whatever they are written at."""
    key = json.loads(client(box, "--new-key", "laptop", "--json").stdout)["key"]
    for line in (f'api_key_sha256.laptop = "{key}"', f'api_key_sha256."{key}" = "laptop"', f'aliases.x = "{key}"'):
        folder = fleet(box / "copies" / str(len(line)), box=f"{INVENTORY}{line}\n")
        done = anvil_gen("render", "box", cwd=folder)
        assert done.code == 1
        assert key not in done.stdout + done.stderr


def test_clients_by_their_digests_have_the_key_themselves(tmp_path: Path) -> None:
    box = fleet(tmp_path, box=INVENTORY.replace('api_key_env = "BOX_KEY"\n', DIGEST))

    assert client(box).stdout.startswith("http://127.0.0.1:8000/v1  each client has its own key in $ROUTER_TOKEN\n")
    assert '"Authorization: Bearer ${ROUTER_TOKEN}"' in client(box, "curl").stdout
    with_both = fleet(tmp_path / "both", box=INVENTORY + DIGEST)
    assert client(with_both).stdout.startswith("http://127.0.0.1:8000/v1  the key is in $BOX_KEY\n")


def test_bench_says_that_it_has_no_key(tmp_path: Path) -> None:
    box = fleet(tmp_path, box=INVENTORY.replace('api_key_env = "BOX_KEY"\n', DIGEST))
    done = anvil_gen("bench", "box", "fast", cwd=box)

    assert done.code == 1
    assert "digests of its clients' keys alone" in done.stderr
    assert "name the variable of one in api_key_env" in done.stderr
    # With one, it goes on to the router, which is not there.
    assert "digests" not in anvil_gen("bench", "box", "fast", cwd=box, env={"ROUTER_TOKEN": "s3cret"}).stderr


def test_bench_of_what_does_not_answer_says_what_to_run(tmp_path: Path) -> None:
    """Also where a variable says how many requests it takes at once."""
    text = INVENTORY.replace("[tiers.fast]\n", '[tiers.fast]\nmax_sequences = { env = "SEQUENCES", default = 4 }\n')
    assert "SEQUENCES" in text
    done = anvil_gen("bench", "box", "fast", cwd=fleet(tmp_path, box=text), env={"BOX_KEY": "s3cret"})

    assert (done.code, done.stdout) == (1, "")
    assert "    anvil-gen status box\n      anvil-gen logs box fast\n" in done.stderr


def test_tiers_without_a_router_each_have_their_address(tmp_path: Path) -> None:
    inventory = INVENTORY.partition("[tiers.night]")[0] + SECOND_TIER.replace('"qwen"', '"/m/q"')
    done = anvil_gen("client", "box", cwd=fleet(tmp_path, box=inventory))

    assert done.stdout.startswith(
        "http://127.0.0.1:30001/v1  no key\n  fast  chat, tier fast\n"
        "http://127.0.0.1:30000/v1  no key\n  heavy  chat, tier heavy\n"
    )
