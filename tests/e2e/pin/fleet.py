"""A fleet that is pinned, and what the registry and the hub of its tests have."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pin_servers import Front, HubModel

COMMIT_A, COMMIT_B = "a" * 40, "b" * 40


CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "model_type": "llama",
    "max_position_embeddings": 131072,
    "vocab_size": 128256,
    "torch_dtype": "bfloat16",
}


MODELS = {
    "org/chat": HubModel({"main": COMMIT_A}, CONFIG, {"model.safetensors": {"model.layers.0.mlp.up_proj.weight": 64}}),
    "org/own": HubModel({"main": COMMIT_A, "v1": COMMIT_B}, {"auto_map": {"AutoModel": "x.py"}}, gated="manual"),
}


INVENTORY = """\
schema = 1
[hfcache]
volume = "hfcache"
token_env = "BOX_TOKEN"
[tiers.chat]
engine = "vllm"
image = "{registry}/vllm:v0.9.1"
port = 30000
model = {{ repo = "org/chat" }}
[tiers.own]
engine = "vllm"
image = "{registry}/vllm:v0.9.1"
port = 30001
model = {{ repo = "org/own", revision = "v1" }}
[services.ui]
image = {{ env = "UI_IMAGE" }}
[services.cache]
image = "{registry}/redis:latest"
"""


class Fleet:
    """A fleet in a folder of its own, and the command line in it."""

    def __init__(self, folder: Path, hub: Front, registry: str) -> None:
        self.folder, self.hub, self.registry = folder, hub, registry
        (folder / "hosts").mkdir()
        self.variables: dict[str, str] = {"DOCKER_CONFIG": str(folder / "docker"), "HF_HOME": str(folder / "hf")}

    def add(self, name: str, text: str = INVENTORY) -> None:
        """Write an inventory."""
        (self.folder / "hosts" / f"{name}.toml").write_text(text.format(registry=self.registry), "utf-8")

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run the program to an exit code, and return what it printed."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "HF_ENDPOINT": f"http://{self.hub.address}",
            **self.variables,
        }
        done = subprocess.run(
            [sys.executable, "-m", "anvil_gen", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def codes(self, *arguments: str) -> list[tuple[str, str]]:
        """Run the program, which fails, and return the code and the address of each error."""
        answer = json.loads(self.run(*arguments, "--json", code=1))
        return [(one["code"], one["address"]) for one in answer["diagnostics"]]

    def lock(self, name: str = "box") -> dict[str, Any]:
        """Return a lock as data."""
        return tomllib.loads(self.text(name))

    def text(self, name: str = "box") -> str:
        """Return a lock as text; empty where there is none."""
        path = self.folder / "locks" / f"{name}.toml"
        return path.read_text("utf-8") if path.exists() else ""


def basic(user: str, password: str) -> dict[str, str]:
    """Return a login as `docker login` writes it."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def docker_config(fleet: Fleet, data: Mapping[str, Any]) -> None:
    """Write Docker's configuration."""
    (fleet.folder / "docker").mkdir(exist_ok=True)
    (fleet.folder / "docker" / "config.json").write_text(json.dumps(data), "utf-8")
