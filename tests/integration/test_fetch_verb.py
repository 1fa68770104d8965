"""`anvil-gen fetch` as a process: against a hub on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from files_hub import COMMIT, FilesHub
from running import Result, anvil_gen

WEIGHTS = bytes(range(256)) * 5000
REPO = {"config.json": b"{}", "model.safetensors": WEIGHTS, "README.md": b"x" * 2000}


@pytest.fixture
def hub() -> Iterator[FilesHub]:
    with FilesHub({"org/chat": REPO}).running() as running:
        assert isinstance(running, FilesHub)
        yield running


def fetch(folder: Path, hub: FilesHub, *arguments: str) -> Result:
    """Fetch in a fleet whose only tier is of the hub."""
    (folder / "hosts").mkdir(exist_ok=True)
    (folder / "hosts/box.toml").write_text(
        f"""schema = 1
hfcache.path = "{(folder / "cache").as_posix()}"
[tiers.chat]
engine = "vllm"
model = {{ repo = "org/chat" }}
"""
    )
    own = {"HF_ENDPOINT": f"http://{hub.address}", "HF_HOME": str(folder / "home"), "HF_TOKEN": ""}
    return anvil_gen("fetch", "box", *arguments, cwd=folder, env=own)


def test_what_comes_is_shown_with_its_rate_and_is_there(tmp_path: Path, hub: FilesHub) -> None:
    result = fetch(tmp_path, hub)

    assert result.code == 0
    assert f"chat: org/chat@{COMMIT[:12]}, 2 files" in result.stdout
    assert "complete" in result.stdout
    assert "100%" in result.stderr
    assert "MiB/s" in result.stderr
    snapshot = tmp_path / "cache/hub/models--org--chat/snapshots" / COMMIT
    assert (snapshot / "model.safetensors").read_bytes() == WEIGHTS


def test_a_dry_run_says_what_would_come(tmp_path: Path, hub: FilesHub) -> None:
    found = json.loads(fetch(tmp_path, hub, "--dry-run", "--json").stdout)

    assert (found["format"], found["fetched"]) == (1, False)
    (download,) = found["downloads"]
    assert (download["tier"], download["bytes"], download["bytes_there"]) == ("chat", len(WEIGHTS) + 2, 0)
    assert sorted(download["files"]) == ["config.json", "model.safetensors"]
    assert not (tmp_path / "cache").exists()


def test_a_gated_model_is_an_error_with_its_line(tmp_path: Path, hub: FilesHub) -> None:
    hub.gated = True
    result = fetch(tmp_path, hub)

    assert result.code == 1
    assert "hosts/box.toml:5" in result.stderr
    assert "HF_TOKEN" in result.stderr
