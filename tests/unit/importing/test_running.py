"""Containers that serve models already, by what Docker says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fake_engine import FakeDocker

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.importing.running import RunningServer, running_servers


def container(name: str, image: str, *command: str, project: str = "", file: str = "") -> dict[str, Any]:
    labels = {"com.docker.compose.project": project, "com.docker.compose.project.config_files": file}
    return {
        "Id": name,
        "Name": f"/{name}",
        "Image": "sha256:1",
        "State": {"Status": "running"},
        "HostConfig": {},
        "Config": {"Image": image, "Cmd": list(command), "Labels": labels if project else {}},
    }


def test_engines_are_known_by_image_and_words_whatever_started_them(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("# Made by anvil-gen from hosts/box.toml\n", "utf-8")
    (tmp_path / "theirs.yml").write_text("services: {}\n", "utf-8")
    theirs, mine = str(tmp_path / "theirs.yml"), str(tmp_path / "mine.yml")
    found = [
        container("big", "vllm/vllm-openai:v0.11.2", "--model", "org/name"),
        container("mine", "my/build:1", "python3", "-m", "sglang.launch_server"),
        container("web-embed-1", "ghcr.io/huggingface/text-embeddings-inference:86-1.8", project="web", file=theirs),
        container("web-db-1", "postgres:17", project="web", file=theirs),
        container("pull", "ollama/ollama:0.12.6", "pull", "qwen3"),
        container("fast", "vllm/vllm-openai:v0.33.0", project="anvil-box", file=mine),
    ]
    docker = FakeDocker({"ps": "ids", "container inspect": json.dumps(found)})

    assert running_servers(docker, Catalog()) == (
        RunningServer(container="big", engine="vLLM", source="big"),
        RunningServer(container="mine", engine="SGLang", source="mine"),
        RunningServer(container="web-embed-1", engine="Text Embeddings Inference", source="web"),
    )


def test_where_nothing_runs_nothing_is_offered() -> None:
    assert running_servers(FakeDocker({"ps": ""}), Catalog()) == ()
