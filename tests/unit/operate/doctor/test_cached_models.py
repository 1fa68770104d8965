"""Models of sealed tiers: whether the cache has what they load, since they cannot download it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import engine, subject

from anvil_gen.operate.doctor.cached_models import check_cached_models
from anvil_gen.operate.doctor.diagnose import obstacles

COMMIT = "0123456789abcdef0123456789abcdef01234567"
INVENTORY = """schema = 1
[host]
egress = "{egress}"
[hfcache]
path = "{cache}"
[tiers.one]
engine = "{engine}"
bind = false
environment.HF_HUB_OFFLINE = "1"
{model}
[router]
"""
CHAT = 'model = { repo = "org/chat" }'


def cached(cache: Path, repo: str = "org/chat", *files: str, branch: str = "main") -> Path:
    """Put files of a repository into a cache, as its own library does, and return their contents' folder."""
    folder = cache / "hub" / f"models--{repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / branch).write_text(COMMIT, "utf-8")
    for name in files or ("config.json", "model.safetensors"):
        place, content = folder / "snapshots" / COMMIT / name, folder / "blobs" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        content.parent.mkdir(exist_ok=True)
        content.write_text("x", "utf-8")
        place.symlink_to(content)
    return folder / "blobs"


def told(folder: Path, model: str = CHAT, *, server: str = "vllm", egress: str = "deny") -> list[tuple[str, str]]:
    """Return the code of each check that fails, or what one that passes has found."""
    (folder / "cache").mkdir(exist_ok=True)
    text = INVENTORY.format(egress=egress, cache=(folder / "cache").as_posix(), engine=server, model=model)
    checks = check_cached_models(subject(folder / "fleet", text, engine(), root=folder))
    return [
        ("", check.found) if check.diagnostic is None else (check.diagnostic.code, check.diagnostic.detail)
        for check in checks
    ]


def test_a_cache_that_has_it_passes_and_an_open_tier_is_not_looked_at(tmp_path: Path) -> None:
    assert told(tmp_path, egress="allow") == []
    cached(tmp_path / "cache")

    assert told(tmp_path) == [("", "org/chat is in the cache")]
    assert told(tmp_path, 'task = "embedding"\nmodel = { repo = "org/chat" }', server="tei") == [
        ("", "org/chat is in the cache")
    ]


def test_what_is_not_there_is_told_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    text = INVENTORY.format(egress="deny", cache=(tmp_path / "cache").as_posix(), engine="vllm", model=CHAT)
    context = subject(tmp_path / "fleet", text, engine(), root=tmp_path)
    found = [one for one in obstacles(context) if one.code == "model-is-not-in-the-cache"]

    assert [one.address for one in found] == ["tiers.one.model"]
    assert f"org/chat is not in {tmp_path / 'cache' / 'hub'}" in found[0].detail
    assert "\n    anvil-gen fetch box one" in found[0].remedy


def test_a_download_that_was_interrupted_is_not_there(tmp_path: Path) -> None:
    contents = cached(tmp_path / "cache")
    (contents / "model.safetensors").unlink()

    ((code, detail),) = told(tmp_path)
    assert (code, detail.startswith("model.safetensors of org/chat is not in ")) == ("model-is-not-in-the-cache", True)


@pytest.mark.parametrize(
    ("revision", "expected"),
    [(COMMIT, ""), ("main", ""), ("v2", "model-is-not-in-the-cache"), ("f" * 40, "model-is-not-in-the-cache")],
)
def test_the_revision_counts(revision: str, expected: str, tmp_path: Path) -> None:
    cached(tmp_path / "cache")
    ((code, _),) = told(tmp_path, f'model = {{ repo = "org/chat", revision = "{revision}" }}')

    assert code == expected


def test_of_a_gguf_repository_the_file_of_the_tag_counts(tmp_path: Path) -> None:
    cached(tmp_path / "cache", "org/gguf", "chat-Q8_0.gguf")

    assert told(tmp_path, 'model = { repo = "org/gguf:Q8_0" }', server="llamacpp")[0][0] == ""
    assert told(tmp_path, 'model = { repo = "org/gguf:Q4_0" }', server="llamacpp")[0][0] == "model-is-not-in-the-cache"
