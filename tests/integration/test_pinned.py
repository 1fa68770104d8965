"""What a lock changes in rendered files, and what it leaves alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from inventories import UUID_A

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.lock_file import ImagePin, Lock, ModelPin, lock_text

DIGEST = f"sha256:{'a' * 64}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
INVENTORY = f"""\
schema = 1
[hfcache]
volume = "hfcache"
[gpus.a]
uuid = "{UUID_A}"
[tiers.chat]
engine = "vllm"
gpus = ["a"]
image = "vllm/vllm-openai:v0.33.0"
port = 30000
model = {{ repo = "org/chat" }}
draft_model = {{ repo = "org/draft", revision = "main" }}
[tiers.gguf]
engine = "llamacpp"
port = 30001
model = {{ repo = "org/gguf:Q4_K_M" }}
image = {{ env = "GGUF_IMAGE" }}
[tiers.own]
engine = "vllm"
gpus = ["a"]
image = "vllm/vllm-openai:v0.33.0"
port = 30002
model = {{ repo = "org/chat" }}
override.image = "example.org/fork:1"
standby = true
[services.ui]
image = "ghcr.io/open-webui/open-webui:v0.6.32"
[router]
image = "haproxy:3.2"
override.image = "haproxy:3.4"
[experiment]
engine = "vllm"
image = "vllm/vllm-openai:v0.33.0"
gpu = "a"
"""
IMAGES = (
    *("vllm/vllm-openai:v0.33.0", "example.org/fork:1", "ghcr.io/open-webui/open-webui:v0.6.32", "haproxy:3.4"),
    "not-used:1",
)
LOCK = Lock(
    images={name: ImagePin(digest=DIGEST) for name in IMAGES},
    models={name: ModelPin(commit=COMMIT) for name in ("org/chat", "org/draft@main", "org/gguf")},
)


def rendered(folder: Path, lock: Lock | None) -> Plan:
    """Render the inventory of a fleet, with a lock or without."""
    (folder / "hosts").mkdir(parents=True)
    (folder / "hosts" / "box.toml").write_text(INVENTORY, "utf-8")
    if lock is not None:
        (folder / "locks").mkdir()
        (folder / "locks" / "box.toml").write_text(lock_text(lock, ()), "utf-8")
    return Generator().render(folder / "hosts" / "box.toml")


def images(plan: Plan) -> dict[str, str]:
    """Return the image of each service, by file."""
    return {
        path: next(iter(data["services"].values()))["image"]
        for path, data in plan.tree.data.items()
        if isinstance(data, dict) and "image" in next(iter((data.get("services") or {"": {}}).values()))
    }


def test_images_get_their_digests_and_keep_their_tags(tmp_path: Path) -> None:
    assert images(rendered(tmp_path, LOCK)) == {
        "docker-compose.experiment.yml": f"vllm/vllm-openai:v0.33.0@{DIGEST}",
        "router/compose.yml": f"haproxy:3.4@{DIGEST}",
        "services/ui.yml": f"ghcr.io/open-webui/open-webui:v0.6.32@{DIGEST}",
        "tiers/chat.yml": f"vllm/vllm-openai:v0.33.0@{DIGEST}",
        "tiers/gguf.yml": "${GGUF_IMAGE}",
        "tiers/own.yml": f"example.org/fork:1@{DIGEST}",
    }


def test_models_get_their_commits_where_the_engine_can_be_told_one(tmp_path: Path) -> None:
    data = rendered(tmp_path, LOCK).tree.data
    chat = data["tiers/chat.yml"]["services"]["chat"]["command"]
    gguf = data["tiers/gguf.yml"]["services"]["gguf"]["command"]

    assert f"--revision={COMMIT}" in chat
    assert f'--speculative-config={{"model":"org/draft","revision":"{COMMIT}"}}' in chat
    assert COMMIT not in " ".join(gguf)


def test_only_what_is_held_differs_from_a_tree_without_a_lock(tmp_path: Path) -> None:
    without, with_lock = rendered(tmp_path / "a", None), rendered(tmp_path / "b", LOCK)
    empty = rendered(tmp_path / "c", Lock())
    held = {
        path: re.sub(f"@{DIGEST}|\n *- --revision={COMMIT}", "", text).replace(COMMIT, "main")
        for path, text in with_lock.tree.files.items()
    }

    assert held == without.tree.files
    assert empty.tree.files == without.tree.files
    assert empty.host.sources == without.host.sources
    assert with_lock.host.sources.own != without.host.sources.own


def test_where_an_option_was_written_is_kept(tmp_path: Path) -> None:
    tier = rendered(tmp_path, LOCK).host.stack.tiers[0]

    assert tier.options.image == "vllm/vllm-openai:v0.33.0"
    assert tier.options.path_of("image") == ("tiers", "chat", "image")


def test_a_lock_that_is_none_is_an_error_with_its_line(tmp_path: Path) -> None:
    bad = Lock(images={"x:1": ImagePin(digest='sha256:1"\nimage: evil')})
    with pytest.raises(DiagnosticError) as caught:
        rendered(tmp_path, bad)
    (found,) = caught.value.diagnostics

    assert found.code == "not-a-lock"
    assert found.location is not None
    assert found.location.line == 4
    assert found.location.file.endswith("locks/box.toml")
