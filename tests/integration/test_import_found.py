"""What public compose files have taught the import: each is read alike, in the form that says most."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from compose_cli import LOCAL_BINARY
from importing import Importing

VLLM = "image: vllm/vllm-openai:v0.11.2, command: --model org/m"
RESERVED = "{driver: nvidia, device_ids: ['${%s:-0}'], capabilities: [gpu]}"
PINNED = f"deploy: {{resources: {{reservations: {{devices: [{RESERVED}]}}}}}}"


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importing:
    monkeypatch.setenv("PATH", str(LOCAL_BINARY.parent), prepend=":")
    return Importing(tmp_path)


def test_gpus_that_one_number_means_where_no_variable_is_set(importing: Importing) -> None:
    data = tomllib.loads(
        importing.proved(f"""
services:
  chat: {{{VLLM}, ports: ["9000:8000"], {PINNED % "CHAT_GPU"}}}
  other: {{{VLLM}, ports: ["9001:8000"], {PINNED % "OTHER_GPU"}}}
""")
    )

    assert {name: tier["gpus"] for name, tier in data["tiers"].items()} == {
        "chat": ["chat_gpu"],
        "other": ["other_gpu"],
    }
    assert [gpu["index"] for gpu in data["gpus"].values()] == [
        {"env": "CHAT_GPU", "default": 0},
        {"env": "OTHER_GPU", "default": 0},
    ]


@pytest.mark.parametrize(
    "mount",
    [
        "${DATA_FOLDER:-.}/volumes/etcd:/etcd",
        "${DATA_FOLDER-./up}/etcd:/etcd:ro",
        "./prompt.yaml:${PROMPT_FILE:-/prompt.yaml}",
        "./data:/tmp/generated/images/",
    ],
)
@pytest.mark.parametrize("image", ["redis:8", "vllm/vllm-openai:v0.11.2"])
def test_paths_with_variables(importing: Importing, mount: str, image: str) -> None:
    importing.proved(f"services: {{one: {{image: '{image}', volumes: ['{mount}']}}}}")


@pytest.mark.parametrize("image", ["redis:8", "vllm/vllm-openai:v0.11.2"])
def test_a_build_without_a_context_is_of_the_sources_folder(importing: Importing, image: str) -> None:
    importing.proved(f"services: {{one: {{image: '{image}', build: {{dockerfile: Dockerfile.dev}}}}}}")


def test_a_slash_at_the_end_of_a_mount(importing: Importing) -> None:
    data = tomllib.loads(importing.proved(f"services: {{chat: {{{VLLM}, volumes: ['./cache:/root/.cache/']}}}}"))

    assert data["tiers"]["chat"]["mounts"]["/root/.cache"]["source"] == "../cache"


def test_a_default_of_an_included_file_means_its_folder(importing: Importing) -> None:
    importing.write("below/compose.yml", f"services: {{chat: {{{VLLM}, volumes: ['${{DATA:-./data}}:/data']}}}}")
    importing.write("compose.yml", "include: [below/compose.yml]\nservices: {ui: {image: redis:8}}")
    imported = importing.files("compose.yml").imported

    assert imported.residue == ()
    assert tomllib.loads(imported.text)["tiers"]["chat"]["mounts"]["/data"]["source"] == {
        "env": "DATA",
        "default": "../below/data",
    }


def test_arguments_that_are_none_unless_a_variable_says_some(importing: Importing) -> None:
    data = tomllib.loads(
        importing.proved("services: {chat: {image: 'vllm/vllm-openai:v0.11.2', command: '--model org/m ${MORE:-}'}}")
    )

    assert data["tiers"]["chat"]["extra_arguments"] == {"env": "MORE"}


def test_words_after_a_secret_are_none(importing: Importing) -> None:
    data = tomllib.loads(
        importing.run("""
services:
  db:
    image: clickhouse:25
    healthcheck: {test: [CMD, client, --password, "${DB_PASSWORD:-correct-horse}", -q, SELECT 1]}
""").imported.text
    )

    assert data["services"]["db"]["healthcheck"]["test"][3:] == [{"env": "DB_PASSWORD"}, "-q", "SELECT 1"]


def test_flags_by_their_beginning_and_keys_behind_a_dot(importing: Importing) -> None:
    data = tomllib.loads(
        importing.proved("""
services:
  one:
    image: lmsysorg/sglang:v0.5.9
    entrypoint: python3 -m sglang.launch_server
    command: --model-path org/m --tp 8 --mem-frac 0.85
    gpus: [{count: 8}]
  two:
    image: vllm/vllm-openai:v0.17.0
    command: --model org/m --compilation_config.pass_config.fuse_allreduce_rms true --max_model_len 4096
""")
    )

    one, two = data["tiers"]["one"], data["tiers"]["two"]
    assert (one["tensor_parallel"], one["gpu_memory_utilization"], "command" in one) == (8, 0.85, False)
    assert two["flags"]["compilation-config.pass_config.fuse_allreduce_rms"] in (True, "true")
    assert (two["context_length"], "command" in two) == (4096, False)


def test_what_stands_for_a_secret_is_none(importing: Importing) -> None:
    importing.proved("services: {ui: {image: 'ui:1', environment: {HF_TOKEN: '<secret>', API_KEY: sk-empty}}}")
