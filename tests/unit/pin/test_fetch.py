"""Weights before a start: from a hub on loopback to where tiers look for them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from files_hub import COMMIT, FilesHub, blob_of
from huggingface_hub import snapshot_download

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.pin.fetch import Download, Unfetched, check_disks, fetch, plan_downloads
from anvil_gen.pin.hub import Hub
from anvil_gen.resolve.host import Host

WEIGHTS = bytes(range(256)) * 2000
REPOS = {
    "org/chat": {
        "config.json": b'{"model_type": "qwen3"}',
        "model-00001-of-00002.safetensors": WEIGHTS,
        "model-00002-of-00002.safetensors": WEIGHTS[::-1],
        "pytorch_model.bin": WEIGHTS + b"old",
        "original/consolidated.pth": WEIGHTS + b"other",
        "README.md": b"read me",
        "tokenizer.json": b"{}",
    },
    "org/gguf": {
        "chat-Q4_K_M.gguf": WEIGHTS + b"4",
        "chat-Q8_0.gguf": WEIGHTS + b"8",
        "mmproj-F16.gguf": WEIGHTS + b"p",
    },
    "org/old": {"config.json": b"{}", "pytorch_model.bin": WEIGHTS},
}
INVENTORY = """schema = 1
paths.models = "{folder}/models"
hfcache.path = "{folder}/cache"
[tiers.chat]
engine = "vllm"
model = {{ repo = "org/chat" }}
[tiers.small]
engine = "llamacpp"
model = {{ repo = "org/gguf:Q8_0" }}
{more}
[tiers.local]
engine = "llamacpp"
port = 9000
model = {{ file = "sub/chat-Q4_K_M.gguf" }}
[tiers.pulled]
engine = "ollama"
model = {{ repo = "qwen3:8b" }}
"""
LOCK = f'lock = 1\n[models."org/chat"]\ncommit = "{COMMIT}"\n'


class Fetched(NamedTuple):
    """What was fetched, and the bytes that were counted."""

    downloads: list[Download]
    unfetched: list[Unfetched]
    counted: int


class Fleet:
    """A fleet on disk whose models are at a hub."""

    def __init__(self, folder: Path, hub: FilesHub, more: str = "flags.no-mmproj = true") -> None:
        self.folder, self.cache = folder, folder / "cache"
        for name in ("hosts", "locks", "models", "cache"):
            (folder / name).mkdir()
        (folder / "hosts/box.toml").write_text(INVENTORY.format(folder=folder.as_posix(), more=more))
        (folder / "locks/box.toml").write_text(LOCK)
        self.host = Host(folder / "hosts/box.toml", Catalog())
        self.hub = Hub(endpoint=f"http://{hub.address}", sleep=lambda _: None)

    def plan(self, *names: str, source: str | None = None) -> tuple[list[Download], list[Unfetched]]:
        return plan_downloads(self.host, names, self.hub, source=source)

    def fetch(self, *names: str, source: str | None = None) -> Fetched:
        downloads, unfetched = self.plan(*names, source=source)
        counted: list[int] = []
        for download in downloads:
            fetch(self.host, download, self.hub, counted.append)
        return Fetched(downloads, unfetched, sum(counted))


@pytest.fixture
def hub() -> Iterator[FilesHub]:
    with FilesHub(REPOS).running() as running:
        assert isinstance(running, FilesHub)
        yield running


@pytest.fixture
def fleet(tmp_path: Path, hub: FilesHub) -> Fleet:
    return Fleet(tmp_path, hub)


def test_only_what_the_engine_reads_is_where_it_looks(fleet: Fleet) -> None:
    found = fleet.fetch("chat")

    snapshot = fleet.cache / "hub/models--org--chat/snapshots" / COMMIT
    names = ("config.json", "tokenizer.json", *(f"model-0000{number}-of-00002.safetensors" for number in (1, 2)))
    assert {path.name: path.read_bytes() for path in snapshot.iterdir()} == {
        name: REPOS["org/chat"][name] for name in names
    }
    assert found.counted == sum(len(path.read_bytes()) for path in snapshot.iterdir())


def test_the_commit_of_the_lock_is_asked_for(fleet: Fleet, hub: FilesHub) -> None:
    fleet.plan("chat")

    assert any(f"/api/models/org/chat/revision/{COMMIT}" in path for _, path, _ in hub.asked)


def test_what_is_there_is_not_asked_for_again(fleet: Fleet, hub: FilesHub) -> None:
    fleet.fetch("chat")
    hub.sent.clear()
    downloads, _ = fleet.plan("chat")

    assert [one.there for one in downloads] == [one.size for one in downloads]
    assert fleet.fetch("chat").counted == 0
    assert hub.sent == []


def test_the_library_finds_it_in_the_cache_without_a_network(fleet: Fleet) -> None:
    fleet.fetch("chat", "small")

    chat = snapshot_download("org/chat", revision=COMMIT, cache_dir=fleet.cache / "hub", local_files_only=True)
    small = snapshot_download("org/gguf", cache_dir=fleet.cache / "hub", local_files_only=True)
    assert (Path(chat) / "config.json").read_bytes() == REPOS["org/chat"]["config.json"]
    assert [path.name for path in Path(small).iterdir()] == ["chat-Q8_0.gguf"]


def test_a_break_goes_on_where_it_stopped(fleet: Fleet, hub: FilesHub) -> None:
    hub.breaks = [300_000, 1000]
    fleet.fetch("small")

    place = fleet.cache / "hub/models--org--gguf/snapshots" / COMMIT / "chat-Q8_0.gguf"
    assert place.read_bytes() == REPOS["org/gguf"]["chat-Q8_0.gguf"]
    assert hub.sent == [("chat-Q8_0.gguf", given) for given in ("", "bytes=300000-", "bytes=301000-")]


def test_what_an_earlier_run_left_is_gone_on_with(fleet: Fleet, hub: FilesHub) -> None:
    body = REPOS["org/gguf"]["chat-Q8_0.gguf"]
    blobs = fleet.cache / "hub/models--org--gguf/blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{blob_of(body)}.part").write_bytes(body[:5000])
    downloads, _ = fleet.plan("small")

    assert [one.there for one in downloads] == [5000]
    assert fleet.fetch("small").counted == len(body) - 5000
    assert (blobs / blob_of(body)).read_bytes() == body
    assert hub.sent == [("chat-Q8_0.gguf", "bytes=5000-")]


def test_a_repository_fills_a_place_in_the_folder_of_models(fleet: Fleet) -> None:
    fleet.fetch("local", source="org/gguf")

    assert [path.name for path in (fleet.folder / "models/sub").iterdir()] == ["chat-Q4_K_M.gguf"]
    assert (fleet.folder / "models/sub/chat-Q4_K_M.gguf").read_bytes() == REPOS["org/gguf"]["chat-Q4_K_M.gguf"]


def test_why_a_tier_is_not_fetched(fleet: Fleet) -> None:
    _, unfetched = fleet.plan()

    local, pulled = unfetched
    assert (local.tier, local.why, local.command) == ("local", "it has nothing of the Hub", "")
    assert "pulls its models itself" in pulled.why
    assert pulled.command == "docker compose exec pulled ollama pull qwen3:8b"


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ("", {"chat-Q8_0.gguf", "mmproj-F16.gguf"}),
        ("flags.no-mmproj = true", {"chat-Q8_0.gguf"}),
        ('mmproj = "own.gguf"', {"chat-Q8_0.gguf"}),
    ],
)
def test_a_projector_comes_along_as_llama_server_takes_it(
    more: str, names: set[str], tmp_path: Path, hub: FilesHub
) -> None:
    fleet = Fleet(tmp_path, hub, more)
    (download,), _ = fleet.plan("small")

    assert {file.name for file in download.files} == names


def test_a_gated_model_is_told_with_what_to_do(fleet: Fleet, hub: FilesHub, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    hub.gated = True
    with pytest.raises(DiagnosticError) as caught:
        fleet.fetch("chat")

    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.address) == ("model-is-gated", "tiers.chat.model.repo")
    assert "HF_TOKEN" in diagnostic.remedy
    assert not list(fleet.cache.rglob("*.safetensors"))
    assert pauses == []  # a refusal is not asked for again


def test_a_model_that_is_not_there_is_told_at_its_place(fleet: Fleet, hub: FilesHub) -> None:
    hub.repos = {}
    with pytest.raises(DiagnosticError) as caught:
        fleet.plan()

    assert {(one.code, one.address) for one in caught.value.diagnostics} == {
        ("model-is-not-on-the-hub", "tiers.chat.model.repo"),
        ("model-is-not-on-the-hub", "tiers.small.model.repo"),
    }


def test_a_full_disk_is_told_before_anything_comes(
    fleet: Fleet, hub: FilesHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(fleet.cache)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    downloads, _ = fleet.plan()
    with pytest.raises(DiagnosticError) as caught:
        check_disks(downloads)

    assert [one.code for one in caught.value.diagnostics] == ["low-disk-space"]
    assert hub.sent == []
