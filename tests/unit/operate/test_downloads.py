"""How far a download is, by the growth of a cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.operate.downloads import Cached, Downloads, downloads_of
from anvil_gen.operate.readiness import Phase, Progress
from anvil_gen.resolve.host import Host

MIB = 1 << 20
WAITING = Progress(service="chat", message="loading weights")


class Clock:
    """A clock that is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def grown(folder: Path, size: int | None, mib: int, phase: Phase = Phase.WAITING) -> str:
    """Return what is said of a cache of 10 MiB that has grown in 4 seconds."""
    clock = Clock()
    (folder / "one").write_bytes(b"x" * 10 * MIB)
    downloads = Downloads({"chat": Cached(blobs=folder, size=size)}, clock)
    (folder / "two.incomplete").write_bytes(b"x" * mib * MIB)
    clock.now += 4
    (one,) = downloads.describe([Progress(service="chat", message="loading weights", phase=phase)])
    return one.message


@pytest.mark.parametrize(
    ("size", "mib", "message"),
    [
        (100 * MIB, 40, "loading weights, 50% of 0.1 GiB downloaded, 10.0 MiB/s, 5s left"),
        (None, 40, "loading weights, 0.0 GiB downloaded, 10.0 MiB/s"),
        (50 * MIB, 40, "loading weights"),
        (100 * MIB, 0, "loading weights"),
    ],
)
def test_percent_rate_and_rest(size: int | None, mib: int, message: str, tmp_path: Path) -> None:
    """While something comes; without a size, how much has come."""
    assert grown(tmp_path, size, mib) == message


def test_a_ready_service_downloads_nothing(tmp_path: Path) -> None:
    """Whatever its cache does."""
    assert grown(tmp_path, None, 40, Phase.READY) == "loading weights"


def test_holes_in_a_file_have_not_come(tmp_path: Path) -> None:
    """A file that is written from several places is as long as it will be."""
    downloads = Downloads({"chat": Cached(blobs=tmp_path, size=1 << 30)})
    with (tmp_path / "one.incomplete").open("wb") as file:
        file.truncate(1 << 29)

    assert downloads.describe([WAITING]) == (WAITING,)


INVENTORY = """schema = 1
hfcache.path = "{folder}/cache"
[tiers.chat]
engine = "vllm"
model = {{ repo = "org/chat" }}
[tiers.small]
engine = "llamacpp"
port = 9000
model = {{ repo = "org/gguf:Q8_0" }}
[tiers.local]
engine = "llamacpp"
port = 9001
model = {{ file = "/x.gguf" }}
"""
LOCK = """lock = 1
[models."org/chat"]
commit = "0123456789abcdef0123456789abcdef01234567"
facts.architecture = "Qwen3ForCausalLM"
facts.layers = "F*2"
facts.bytes = { language = 2000000 }
"""


def test_every_engine_has_its_models_at_one_place(tmp_path: Path) -> None:
    """The size is that of the lock."""
    for name, text in (("hosts", INVENTORY.format(folder=tmp_path.as_posix())), ("locks", LOCK)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "box.toml").write_text(text)
    host = Host(tmp_path / "hosts/box.toml", Catalog())
    chat = tmp_path / "cache/hub/models--org--chat/blobs"
    small = tmp_path / "cache/hub/models--org--gguf/blobs"
    for folder in (chat, small):
        folder.mkdir(parents=True)
    downloads = downloads_of(host, host.stack.tiers)
    for folder in (chat, small):
        (folder / "x").write_bytes(b"x" * 1_000_000 if folder == chat else b"x")
    services = [Progress(service=name, message="starting") for name in ("chat", "small", "local")]
    messages = [one.message for one in downloads.describe(services)]

    assert messages[0].startswith("starting, 50% of 0.0 GiB downloaded")
    assert messages[1].startswith("starting, 0.0 GiB downloaded")
    assert messages[2] == "starting"
