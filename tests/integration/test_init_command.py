"""`anvil-gen init` as a process: with and without a terminal, interrupted, from a wheel, without git."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import stat
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from onboarding import REPOSITORY, files, git
from running import Result, anvil_gen
from sources import build_wheel

# No engine answers, so that no test makes a volume in anybody's.
NO_DOCKER = {"DOCKER_HOST": "unix:///nonexistent", "NO_COLOR": "1", "TERM": "xterm"}
PROCESSOR = ("-d", "gpus=", "-d", "preset=cpu-demo", "-d", "hfcache=hfcache", "-d", "machine=box")
TIMEOUT_SECONDS = 300


def init(folder: Path, *arguments: str, **environment: str) -> Result:
    """Run `anvil-gen init` without a terminal."""
    return anvil_gen("init", *arguments, cwd=folder, env={**NO_DOCKER, **environment})


def test_without_a_terminal_it_says_what_to_do_and_writes_nothing(tmp_path: Path) -> None:
    done = init(tmp_path, "fleet")

    assert done.code == 1
    assert done.stderr.startswith("Found on ")
    assert "error: no terminal to prompt on" in done.stderr
    assert "\n      anvil-gen init --yes\n" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_a_fleet_that_is_rendered(tmp_path: Path) -> None:
    done = init(tmp_path, "fleet", "--yes", *PROCESSOR)
    key = tmp_path / "fleet/deploy/box/.env"

    assert done.code == 0, done.stderr
    assert "    cd fleet\n    docker volume create hfcache\n    anvil-gen up box --wait\n    curl -N " in done.stdout
    assert anvil_gen("render", "--all", "--check", cwd=tmp_path / "fleet").code == 0
    # The branch that the workflow checks.
    assert git(tmp_path / "fleet", "symbolic-ref", "--short", "HEAD").strip() == "main"
    assert "branches: [main]" in (tmp_path / "fleet/.github/workflows/render.yml").read_text("utf-8")
    # Where a bot like Renovate sees it.
    inventory = (tmp_path / "fleet/hosts/box.toml").read_text("utf-8")
    assert 'engine = "llamacpp"\nimage = "ghcr.io/ggml-org/llama.cpp:server-b' in inventory
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    name, _, value = key.read_text("utf-8").strip().partition("=")
    assert (name, len(value) >= 40) == ("ROUTER_TOKEN", True)
    assert value not in done.stdout + done.stderr
    # What git would take in has no key in it.
    git(tmp_path / "fleet", "add", "--all")
    assert value not in git(tmp_path / "fleet", "diff", "--cached")


def test_one_more_machine_joins_in_the_folder_of_the_fleet(tmp_path: Path) -> None:
    init(tmp_path, "--yes", *PROCESSOR)
    before = files(tmp_path)
    again = init(tmp_path, "--yes", *PROCESSOR)
    second = init(tmp_path, "--yes", *PROCESSOR, "-d", "machine=second")
    after = files(tmp_path)

    assert (again.code, second.code) == (1, 0)
    assert "error: host is already in the fleet\n  --> hosts/box.toml" in again.stderr
    assert {path: after[path] for path in before} == before
    assert {path.split("/")[0] for path in set(after) - set(before)} == {
        ".copier-answers.second.yml",
        "deploy",
        "hosts",
    }


def test_a_folder_inside_of_the_fleet_is_the_fleets(tmp_path: Path) -> None:
    init(tmp_path, "--yes", *PROCESSOR)
    done = init(tmp_path / "hosts", "--yes", *PROCESSOR, "-d", "machine=second")

    assert done.code == 0, done.stderr
    assert done.stdout.startswith("second -> second.toml\n")
    assert "    cd ..\n" in done.stdout
    assert (tmp_path / "deploy/second/docker-compose.yml").is_file()


def test_without_docker_a_chosen_context_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"currentContext": "far"}', "utf-8")
    done = anvil_gen(
        *("init", "fleet", "--yes", *PROCESSOR),
        cwd=tmp_path,
        env={"DOCKER_CONFIG": str(tmp_path), "PATH": "/nonexistent", "DOCKER_HOST": ""},
    )

    assert done.code == 0, done.stderr
    assert "warning: Docker is not installed" in done.stderr


def test_the_json_answer_has_all_of_it(tmp_path: Path) -> None:
    done = init(tmp_path, "fleet", "--yes", "--json", *PROCESSOR)
    answer = json.loads(done.stdout)

    assert (answer["format"], answer["machine"], answer["repository"]) == (1, "box", True)
    assert "hosts/box.toml" in answer["written"]
    assert answer["key_file"] == "fleet/deploy/box/.env"
    assert answer["lacks"][0]["severity"] == "warning"
    assert {"name", "platform", "cards", "docker", "router_port"} <= answer["found"].keys()
    assert answer["next"][:3] == ["cd fleet", "docker volume create hfcache", "anvil-gen up box --wait"]
    assert init(tmp_path, "--json").code == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("machine=My Box", "machine: a host name has lower-case letters"),
        ("preset=coder-fast", "preset: it needs two GPUs"),
        ("preset=nonsense", "preset: "),
        ("router=nonsense", "router: "),
        ("preset=own", "preset: there is no models folder"),
        ("gpus=rtx, GPU-123", 'gpus: "GPU-123" is not the UUID of a GPU'),
        ("platform", '"platform" is not of the form QUESTION=ANSWER'),
        ("router_port=70000", "70000 is not from 1 to 65535"),
        ("first_port=8000", "8000 is published by"),
        ("api_key_env=PATH", "variable taken twice"),
        ("no_such_question=1", '"no_such_question" is not a question'),
    ],
)
def test_an_answer_that_cannot_be_is_told(given: str, told: str, tmp_path: Path) -> None:
    done = init(tmp_path, "fleet", "--yes", "-d", "gpus=", "-d", given)

    assert done.code == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_empty_preset_renders_no_service(tmp_path: Path) -> None:
    done = init(tmp_path, "--yes", *PROCESSOR, "-d", "preset=empty")

    assert done.code == 0, done.stderr
    assert done.stdout.endswith("    anvil-gen render box\n    anvil-gen up box --wait\n\n")
    assert (tmp_path / "deploy/box/docker-compose.yml").read_text("utf-8").endswith("\nservices: {}\n")


def test_it_needs_no_git(tmp_path: Path) -> None:
    done = init(tmp_path, "fleet", "--yes", *PROCESSOR, PATH="/nonexistent")

    assert done.code == 0, done.stderr
    assert "created: a git repository" not in done.stdout
    assert not (tmp_path / "fleet/.git").exists()


def test_a_repository_around_it_is_kept(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    init(tmp_path, "fleet", "--yes", *PROCESSOR)

    assert not (tmp_path / "fleet/.git").exists()


def test_what_is_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    a_file, below = init(tmp_path, "file", "--yes", *PROCESSOR), init(tmp_path, "file/x", "--yes", *PROCESSOR)

    assert (a_file.code, below.code) == (1, 1)
    assert "Directory 'file' is a file" in a_file.stderr
    assert "error: cannot read or write\n  --> file" in below.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


COMPOSE = """\
services:
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/name --max-model-len 8192
    ports: ["8000:8000"]
    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}
  web:
    image: ghcr.io/open-webui/open-webui:main
    depends_on: [chat]
"""


def test_a_compose_file_is_offered_and_becomes_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE, "utf-8")
    (tmp_path / ".env").write_text("HF_TOKEN=hf_x\n", "utf-8")
    offered = init(tmp_path, "other", "--yes", *PROCESSOR)
    done = init(tmp_path, "fleet", "--yes", "-d", "gpus=", "-d", "machine=box", "--import", "docker-compose.yml")
    inventory = tomllib.loads((tmp_path / "fleet/hosts/box.toml").read_text("utf-8"))

    assert "    anvil-gen init other --import docker-compose.yml\n" in offered.stderr
    assert done.code == 0, done.stderr
    assert "chat: a tier of vllm" in done.stderr
    assert "is here; to make" not in done.stderr
    assert (inventory["tiers"]["chat"]["context_length"], "router" in inventory) == (8192, False)
    assert inventory["services"]["web"]["depends_on"] == ["chat"]
    assert (tmp_path / "fleet/deploy/box/tiers/chat.yml").is_file()
    assert "    anvil-gen plan box --against live\n" in done.stdout
    assert "    cp ../.env deploy/box/.env\n" in done.stdout
    assert (inventory["defaults"]["logging"], "Add --adopt to have what is off" in done.stderr) == (False, True)
    adopted = init(
        *(tmp_path, "adopted", "--yes", "-d", "gpus=", "-d", "machine=box", "--import", "docker-compose.yml", "--adopt")
    )
    assert adopted.code == 0, adopted.stderr
    assert "logging" not in (tmp_path / "adopted/hosts/box.toml").read_text("utf-8")
    assert anvil_gen("render", "--all", "--check", cwd=tmp_path / "fleet").code == 0


def on_a_terminal(folder: Path, keys: Sequence[bytes], *arguments: str) -> tuple[int, str]:
    """Run `anvil-gen init` on a terminal; each key is pressed when a question has been asked and waits."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        command = [sys.executable, "-m", "anvil_gen", "init", *arguments]
        os.execve(sys.executable, command, {**os.environ, **NO_DOCKER})
    shown = b""
    for key in (*keys, b""):
        shown += _until_it_waits(terminal)
        os.write(terminal, key)
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")


def _until_it_waits(terminal: int) -> bytes:
    """Return what is printed until a question has been quiet for a moment, or the program has ended."""
    shown = b""
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.7)
        if not ready:
            if "🎤".encode() in shown:
                return shown
            continue
        try:
            text = os.read(terminal, 65536)
        except OSError:  # it has ended
            return shown
        if b"\x1b[6n" in text:  # it asks where the cursor is
            os.write(terminal, b"\x1b[1;1R")
        shown += text
    raise AssertionError(shown)


def test_a_name_and_two_suggestions_are_enough(tmp_path: Path) -> None:
    code, shown = on_a_terminal(tmp_path, [b"\x15mine\r", b"\r", b"\r"], "fleet", "-d", "gpus=", "-d", "models=")

    assert code == 0, shown
    assert (tmp_path / "fleet/hosts/mine.toml").is_file()
    assert "it needs a GPU" in shown


def test_the_question_goes_where_other_machines_reach_it(tmp_path: Path) -> None:
    data = ("-d", "lan=true", "-d", "address=192.168.1.20")
    answer = json.loads(init(tmp_path, "fleet", "--yes", "--json", *PROCESSOR, *data).stdout)

    assert answer["next"][-1].startswith("curl -N http://192.168.1.20:8000/v1/chat/completions -H ")


def test_a_model_of_ones_own_has_to_be_named(tmp_path: Path) -> None:
    done = init(tmp_path, "--yes", *PROCESSOR, "-d", "models=/srv/models", "-d", "preset=own")

    assert (done.code, "own_model: required" in done.stderr) == (1, True)


def test_a_model_of_ones_own_is_asked_for_where_it_was_not_suggested(tmp_path: Path) -> None:
    keys = [b"\x15mine\r", b"\x1b[A\r", b"sub/x.gguf\r", b"\r"]  # up, from the one for the processor
    code, shown = on_a_terminal(tmp_path, keys, "fleet", "-d", "gpus=", "-d", "models=/srv/models")

    assert code == 0, shown
    assert 'file = "sub/x.gguf"' in (tmp_path / "fleet/hosts/mine.toml").read_text("utf-8")


def test_others_reach_it_where_that_is_wanted(tmp_path: Path) -> None:
    keys = [b"\x15mine\r", b"\r", b"y"]
    data = ("-d", "gpus=", "-d", "models=", "-d", "address=192.168.1.20")
    code, shown = on_a_terminal(tmp_path, keys, "fleet", *data)

    assert code == 0, shown
    assert 'bind = "0.0.0.0"' in (tmp_path / "fleet/hosts/mine.toml").read_text("utf-8")
    assert (tmp_path / "fleet/deploy/mine/.env").read_text("utf-8").startswith("ROUTER_TOKEN=")


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    code, shown = on_a_terminal(tmp_path, [b"\r", b"\x03"], "fleet")

    assert (code, "interrupted" in shown) == (130, True)
    assert list(tmp_path.iterdir()) == []


def test_it_works_from_the_wheel(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path)
    shutil.unpack_archive(wheel, tmp_path / "site", "zip")
    wheel.unlink()
    done = init(tmp_path, "fleet", "--yes", *PROCESSOR, PYTHONPATH=str(tmp_path / "site"))
    answers = (tmp_path / "fleet/.copier-answers.box.yml").read_text("utf-8")

    assert done.code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "fleet").iterdir() if path.name != ".git") == sorted(
        [
            path.name.removesuffix(".jinja")
            for path in (REPOSITORY / "templates/onboard/fleet").iterdir()
            if not path.name.startswith("{{")
        ]
        + ["deploy", ".copier-answers.box.yml"]
    )
    assert "_commit: " in answers
    assert str(tmp_path) not in answers
