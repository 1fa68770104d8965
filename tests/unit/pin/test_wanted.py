"""What of an inventory can be held, and why the rest cannot."""

from __future__ import annotations

from pathlib import Path

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.pin.wanted import wanted
from anvil_gen.resolve.host import Host

INVENTORY = f"""\
schema = 1
hfcache.volume = "hub"
[tiers.a]
engine = "vllm"
image = "my/vllm:1"
port = 30000
model = {{ repo = "org/a", revision = "main" }}
draft_model = {{ repo = "org/draft" }}
lora.x = {{ repo = "org/adapter" }}
[tiers.b]
engine = "llamacpp"
image = "my/llama:1@sha256:{"0" * 64}"
port = 30001
model = {{ repo = "org/b:Q4_K_M" }}
[tiers.c]
engine = "ollama"
image = {{ interpolate = "ollama/ollama:${{TAG:-1}}" }}
port = 30002
model = {{ repos = ["qwen3:8b", "hf.co/org/c:Q8_0"] }}
[tiers.d]
engine = "vllm"
image = "my/vllm:1"
port = 30003
model = {{ repo = {{ env = "MODEL" }} }}
override.image = {{ env = "OTHER" }}
[tiers.e]
engine = "custom"
build = "."
port = 30004
[router]
kind = "anvil"
"""


def test_what_is_held_and_what_is_not(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    path.write_text(INVENTORY, "utf-8")
    found, unheld = wanted(Host(path, Catalog(), lock=Lock()))

    assert [(one.kind, one.name, one.owner, one.note) for one in found] == [
        ("images", "my/vllm:1", "a", ""),
        ("models", "org/a@main", "a", ""),
        ("models", "org/draft", "a", ""),
        ("models", "org/adapter", "a", "vLLM takes no revision of an adapter"),
        ("models", "org/b", "b", "llama.cpp takes no revision"),
        ("models", "org/c", "c", "Ollama takes no revision"),
    ]
    assert [str(one) for one in unheld] == [
        "tiers.c.image: the image is in a variable: TAG",
        "tiers.d.image: the image is in a variable: OTHER",
        "tiers.e.image: the image is built here",
        "router.image: the image is built here",
        'tiers.c.model.repos[0]: "qwen3:8b" is not of the Hugging Face Hub',
        "tiers.d.model.repo: the model is in a variable: MODEL",
    ]
