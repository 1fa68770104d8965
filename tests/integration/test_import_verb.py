"""The verb: what it says of an import, what it asks of this host, and the defaults that it offers."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from compose_cli import LOCAL_BINARY
from e2e.cards import Card, write_nvidia_smi
from running import TIMEOUT_SECONDS, Result

UUIDS = [f"GPU-00000000-0000-0000-0000-00000000000{digit}" for digit in "ab"]
SOURCE = """
services:
  chat:
    image: vllm/vllm-openai:v0.11.2
    command: --model org/m
    ports: ["8000:8000"]
    deploy: {resources: {reservations: {devices: [{driver: nvidia, device_ids: ["1"], capabilities: [gpu]}]}}}
  embed:
    image: ghcr.io/huggingface/text-embeddings-inference:1.8
    command: --model-id org/e
    ports: ["8081:80"]
    restart: always
    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}
  ui:
    image: ui:1
"""


class Folder:
    """A folder with sources, and a PATH with the Compose of the tests and an `nvidia-smi` that lists two GPUs."""

    def __init__(self, path: Path) -> None:
        self.path = path / "box"
        self.path.mkdir()
        programs = path / "programs"
        write_nvidia_smi(programs / "nvidia-smi", [Card(uuid, "NVIDIA A", 24000) for uuid in UUIDS])
        (programs / LOCAL_BINARY.name).symlink_to(LOCAL_BINARY)
        self.environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}

    def imported(self, *arguments: str, source: str = SOURCE, text: str = "") -> Result:
        """Run the verb, ``text`` on its standard input."""
        (self.path / "compose.yml").write_text(source, "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "anvil_gen", "import", *(arguments or ("compose.yml",))],
            cwd=self.path,
            env={**os.environ, **self.environment},
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def tiers_of(result: Result) -> dict[str, Any]:
    data = tomllib.loads(result.stdout)
    return {name: {**data.get("defaults", {}), **tier} for name, tier in data["tiers"].items()}


def test_defaults_are_off_and_offered(folder: Folder) -> None:
    result = folder.imported()

    assert result.code == 0, result.stderr
    assert tiers_of(result)["chat"]["healthcheck"] is False
    assert [line for line in result.stderr.splitlines() if line.startswith("off:")] == [
        "off: a health check, for chat, embed",
        "off: log rotation, for chat, embed",
        "off: a restart after a crash or a boot, for chat",
        "off: an init process that reaps and forwards signals, for chat, embed",
        "off: the time to end requests before a stop, for chat, embed",
        "off: a router in front of the tiers, for chat, embed",
    ]


def test_detected_gpus_are_named_by_uuid_and_are_the_same(folder: Folder) -> None:
    result = folder.imported("compose.yml", "--detect")

    assert result.code == 0, result.stderr
    assert tomllib.loads(result.stdout)["gpus"] == {
        "second": {"uuid": UUIDS[1], "memory_mib": 24000, "compute_capability": "12.0"}
    }
    assert "off: GPUs by UUID, for embed" in result.stderr


def test_what_is_adopted_is_told_and_everything_else_is_proved(folder: Folder) -> None:
    result = folder.imported("compose.yml", "--detect", "--adopt")

    assert result.code == 0, result.stderr
    data, tiers = tomllib.loads(result.stdout), tiers_of(result)
    assert {name: gpu["uuid"] for name, gpu in data["gpus"].items()} == {"second": UUIDS[1], "first": UUIDS[0]}
    assert data["router"] == {"port": 8001}
    assert tiers["embed"]["gpus"] == ["first"]
    assert tiers["embed"]["restart"] == "always"
    assert not {"healthcheck", "logging", "init", "stop_grace_period"} & (tiers["chat"].keys() | tiers["embed"].keys())
    adopted = {line.split(": ")[1] for line in result.stderr.splitlines() if line.startswith("adopted:")}
    assert {"services.chat.healthcheck", "services.chat.restart", "services.embed.logging", "services.router"} < adopted
    assert "services.embed.restart" not in adopted
    assert "proved: Docker Compose reads source and result alike, but for what is adopted" in result.stderr


def test_what_follows_from_what_is_adopted_is_adopted(folder: Folder) -> None:
    """A newer vLLM is told how much time it has to stop, and answers to any name behind a router."""
    result = folder.imported("compose.yml", "--adopt", source=SOURCE.replace("v0.11.2", "latest"))

    assert result.code == 0, result.stderr
    assert "adopted: services.chat.command.--shutdown-timeout: nothing ->" in result.stderr
    assert 'adopted: services.chat.environment: nothing -> {"VLLM_SKIP_MODEL_NAME_VALIDATION": "1"}' in result.stderr
    assert "differs" not in result.stderr


def test_without_compose_it_is_told_what_is_adopted(folder: Folder) -> None:
    folder.environment = {"PATH": str(folder.path)}

    result = folder.imported("compose.yml", "--adopt")

    assert result.code == 3, result.stderr
    assert "adopted: a health check, for chat, embed" in result.stderr
    assert "adopted: a router in front of the tiers, for chat, embed" in result.stderr


def test_the_variables_beside_the_source_have_to_be_copied(folder: Folder) -> None:
    (folder.path / ".env").write_text("HF_TOKEN=hf_x\n", "utf-8")

    result = folder.imported("compose.yml")

    assert "note: ./.env has variables, and the rendered tree reads a .env of its own: copy it to " in result.stderr
    assert "copy it to deploy/box/.env\n" in result.stderr
    assert "project_directory" not in result.stderr + result.stdout


def test_relative_paths_beside_the_source_keep_their_meaning(folder: Folder) -> None:
    (folder.path / ".env").write_text("MODELS=./models\n", "utf-8")

    result = folder.imported(source='services: {ui: {image: "ui:1", volumes: ["${MODELS}:/models"]}}')

    assert result.code == 0, result.stderr
    assert tomllib.loads(result.stdout)["host"] == {"project_directory": ".."}
    assert "note: its relative paths mean . there as well, by project_directory in [host]\n" in result.stderr


def test_what_the_inventory_refuses_is_not_adopted(folder: Folder) -> None:
    on_the_host = SOURCE.replace('    ports: ["8000:8000"]\n', "    network_mode: host\n")

    result = folder.imported("compose.yml", "--adopt", source=on_the_host.replace("  ui:", "  router:"))

    assert result.code == 0, result.stderr
    assert "router" not in tomllib.loads(result.stdout)
    assert "not adopted, since the inventory refuses it: a router in front of the tiers" in result.stderr
    assert "healthcheck" not in tiers_of(result)["chat"]


def test_why_a_service_is_left_out(folder: Folder) -> None:
    result = folder.imported(source='services: {ui: {image: "ui:1", environment: {FILTER: "${FILTER:-(uid={name})}"}}}')

    assert result.code == 2
    assert "ui: left out, 1 difference, since the inventory refuses it: services.ui.environment.FILTER" in result.stderr
    assert "no brace that is not a variable's\n" in result.stderr


def test_without_a_gpu_nothing_is_detected(folder: Folder) -> None:
    folder.environment = {"PATH": str(LOCAL_BINARY.parent)}

    result = folder.imported("compose.yml", "--detect")

    assert (result.code, result.stdout) == (1, "")
    assert "--detect: " in result.stderr


RUN_LINES = """vllm_image=vllm/vllm-openai:v0.11.2
# The one in the cellar.
docker run --name chat --gpus all -p 8000:8000 -v hub:/root/.cache/huggingface "$vllm_image" --model org/m
"""


@pytest.mark.parametrize("source", ["-", "start.sh"])
def test_run_lines_are_read_as_such_when_asked_to(folder: Folder, source: str) -> None:
    (folder.path / "start.sh").write_text(RUN_LINES, "utf-8")

    result = folder.imported("--from", "run", source, text=RUN_LINES)

    assert result.code == 0, result.stderr
    tier = tiers_of(result)["chat"]
    assert (tier["engine"], tier["gpus"], tier["port"]) == ("vllm", "all", 8000)


def test_what_is_asked_for_is_not_guessed(folder: Folder) -> None:
    assert folder.imported("--from", "run", "compose.yml").code == 1
    assert folder.imported("--from", "inspect", "compose.yml").code == 1
