"""Locks: what is read, what is refused, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.lock_file import ImagePin, Lock, ModelPin, lock_text, read_lock, read_lock_file

DIGEST_A, DIGEST_B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

LOCK = Lock(
    images={
        "vllm/vllm-openai:v0.33.0": ImagePin(digest=DIGEST_A, platforms=("linux/amd64", "linux/arm64")),
        "redis": ImagePin(digest=DIGEST_B, platforms=("linux/amd64",)),
    },
    models={
        "org/model@main": ModelPin(
            commit=COMMIT,
            facts={"layers": 32, "gated": "manual", "attention": {"kv_heads": 8, "head_dim": 128}, "tied": False},
        )
    },
)
TEXT = f"""\
# Written by anvil-gen.
lock = 1

# It floats.
[images."redis"]
digest = "{DIGEST_B}"
platforms = ["linux/amd64"]

[images."vllm/vllm-openai:v0.33.0"]
digest = "{DIGEST_A}"
platforms = ["linux/amd64", "linux/arm64"]

[models."org/model@main"]
commit = "{COMMIT}"
attention = {{ kv_heads = 8, head_dim = 128 }}
gated = "manual"
layers = 32
tied = false
"""


def test_a_lock_is_sorted_with_a_fact_a_line() -> None:
    assert lock_text(LOCK, ("Written by anvil-gen.",), {"redis": ("It floats.",)}) == TEXT


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "locks" / "box.toml").write_text(TEXT, "utf-8")

    assert read_lock_file(tmp_path / "locks" / "box.toml") == LOCK


@pytest.mark.parametrize("strange", ['a"b', "a\\b", "a\nb", "a\x7fb", "ä€𝄞", "a#b", "a'b"])
def test_any_text_is_read_back(tmp_path: Path, strange: str) -> None:
    lock = Lock(models={strange: ModelPin(commit=COMMIT, facts={strange: {strange: [strange]}})})
    (tmp_path / "locks" / "box.toml").write_text(lock_text(lock, ()), "utf-8")

    assert read_lock_file(tmp_path / "locks" / "box.toml") == lock


def test_a_lock_that_leads_out_of_the_fleet_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text("lock = 1\n", "utf-8")
    (tmp_path / "fleet" / "locks").mkdir(parents=True)
    (tmp_path / "fleet" / "locks" / "box.toml").symlink_to(tmp_path / "secret.toml")
    with pytest.raises(DiagnosticError) as caught:
        read_lock(tmp_path / "fleet" / "hosts" / "box.toml")

    assert [one.code for one in caught.value.diagnostics] == ["cannot-read-the-file"]


def test_a_host_is_held_by_its_own_entries_over_those_of_the_fleet(tmp_path: Path) -> None:
    images = {"a:1": ImagePin(digest=DIGEST_A), "b:1": ImagePin(digest=DIGEST_A)}
    (tmp_path / "locks" / "fleet.toml").write_text(lock_text(Lock(images=images), ()), "utf-8")
    own = Lock(images={"b:1": ImagePin(digest=DIGEST_B)})
    (tmp_path / "locks" / "box.toml").write_text(lock_text(own, ()), "utf-8")
    lock = read_lock(tmp_path / "hosts" / "box.toml")

    assert [lock.image(name) for name in ("a:1", "b:1", "c:1")] == [f"a:1@{DIGEST_A}", f"b:1@{DIGEST_B}", "c:1"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("lock = 1\n[images.x]\ndigest = 'sha256:1'\n", "images.x.digest"),
        (f"lock = 1\n[images.x]\ndigest = '{DIGEST_A}\\n'\n", "images.x.digest"),
        ("lock = 1\n[images.x]\n", "images.x"),
        ("lock = 1\n[models.x]\ncommit = 'main'\n", "models.x.commit"),
        ("lock = 1\nmodels = 3\n", "models"),
        ("lock = 2\n", "lock"),
        ("[images]\n", ""),
    ],
)
def test_what_is_no_lock_is_refused_at_its_place(tmp_path: Path, text: str, address: str) -> None:
    (tmp_path / "locks" / "box.toml").write_text(text, "utf-8")
    with pytest.raises(DiagnosticError) as caught:
        read_lock_file(tmp_path / "locks" / "box.toml")

    assert [(one.code, one.address) for one in caught.value.diagnostics] == [("not-a-lock", address)]
