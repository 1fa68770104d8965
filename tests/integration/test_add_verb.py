"""`anvil-gen add` as a process: what it shows, when it asks, and what it writes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from gguf_files import Q4_0, Shape, model
from running import Result, anvil_gen

MODEL = Shape(
    layers=32, hidden=4096, intermediate=14336, heads=32, kv_heads=8, head_dim=128, context=131072, dtype=Q4_0
)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet with a GPU and a model on disk."""
    for name in ("hosts", "models"):
        (tmp_path / name).mkdir()
    model(tmp_path / "models/eight.gguf", MODEL)
    (tmp_path / "hosts/box.toml").write_text(
        f"""schema = 1  # kept
paths.models = "{(tmp_path / "models").as_posix()}"
[gpus.a]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 24576
"""
    )
    return tmp_path


def add(fleet: Path, *arguments: str) -> Result:
    return anvil_gen("add", "box", "eight.gguf", *arguments, cwd=fleet)


def test_nothing_is_written_without_a_yes(fleet: Path) -> None:
    before = (fleet / "hosts/box.toml").read_bytes()
    result = add(fleet)

    assert (result.code, "confirm with --yes" in result.stderr) == (1, True)
    assert "fits  eight.gguf (llamacpp on a)" in result.stdout  # what would be written is shown all the same
    assert (fleet / "hosts/box.toml").read_bytes() == before


def test_the_tier_its_fit_and_the_plan_are_shown_and_it_renders(fleet: Path) -> None:
    before = (fleet / "hosts/box.toml").read_text()
    result = add(fleet, "--yes", "--name", "chat")
    after = (fleet / "hosts/box.toml").read_text()

    assert (result.code, result.stderr) == (0, "")
    for words in (
        "+[tiers.chat]",
        "chat  fits  eight.gguf (llamacpp on a)",
        "+ chat  start\n",
        "anvil-gen up box chat",
    ):
        assert words in result.stdout
    assert after.startswith(before)
    assert tomllib.loads(after)["tiers"]["chat"]["model"] == {"file": "eight.gguf"}
    assert anvil_gen("render", "box", cwd=fleet).code == 0


def test_as_json_it_says_what_was_written(fleet: Path) -> None:
    found = json.loads(add(fleet, "--yes", "--json", "--context", "8192").stdout)

    assert found["format"] == 1
    assert found["tier"] == "eight"
    assert found["table"]["context_length"] == 8192
    assert found["fit"]["verdict"] == "fits"
    assert [one["consequence"] for one in found["plan"]["services"]] == ["start"]
