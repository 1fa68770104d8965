"""Why services did not come up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_engine import NO_DAEMON, container, engine, having, images, subject
from fake_machine import kernel

from anvil_gen.operate.doctor.diagnose import causes, obstacles

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[tiers.fast]
engine = "vllm"
port = 30001
model = { path = "gpt-oss-20b" }
"""
CARD = """[gpus.big]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
"""
MODEL = {"srv/models/gpt-oss-20b/config.json": "{}", "srv/models/gpt-oss-20b/model.safetensors": "weights"}
IMAGE = images("vllm/vllm-openai-cpu:v0.33.0")


def summaries(folder: Path, answers: dict[str, str], text: str = INVENTORY, *, model: bool = True) -> list[str]:
    """Return what is found to be in the way."""
    root = kernel(folder / "root", MODEL if model else {})
    return [diagnostic.summary for diagnostic in causes(subject(folder, text, answers, root=root))]


def test_nothing_is_in_the_way(tmp_path: Path) -> None:
    assert summaries(tmp_path, engine(image_inspect=IMAGE)) == []


def test_all_that_is_in_the_way_is_told_at_once(tmp_path: Path) -> None:
    there = having(container("fast"), container("other", port=30001))
    text = INVENTORY + "[services.ui]\nimage = 'ui'\ncommand = [{ env = 'A' }]\n"

    assert summaries(tmp_path, {**there, "": "no such manifest: x"}, text, model=False) == [
        "missing model folder",
        "image cannot be pulled",
        "image cannot be pulled",
        "container name is taken",
        "port is taken",
    ]


def test_an_engine_that_is_away_is_the_whole_cause(tmp_path: Path) -> None:
    version = json.dumps({"Client": {"Version": "28.2.2"}})

    assert summaries(tmp_path, {"version": version, "": NO_DAEMON}, model=False) == ["Docker does not answer"]


def test_another_modes_port_is_a_cause(tmp_path: Path) -> None:
    there = having(container("coder", project="box", service="coder", port=30001))
    root = kernel(tmp_path / "root", MODEL)
    (diagnostic,) = causes(subject(tmp_path, INVENTORY, {**there, "image inspect": IMAGE}, root=root))

    assert (diagnostic.severity, diagnostic.summary) == ("error", "port is taken")


def test_cards_that_are_not_listed_are_a_cause_only_where_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    text = INVENTORY.replace('engine = "vllm"', 'engine = "vllm"\ngpus = ["big"]') + CARD
    image = images("vllm/vllm-openai:v0.33.0")
    with_runtime = engine(image_inspect=image, info=json.dumps({"Runtimes": {"nvidia": {}}}))

    assert summaries(tmp_path, engine(image_inspect=image), text) == ["no GPU runtime"]
    assert summaries(tmp_path, with_runtime, text) == ["no GPU is listed"]
    for name in MODEL:
        (tmp_path / "root" / name).unlink()
    assert summaries(tmp_path, with_runtime, text, model=False) == ["empty model folder"]


def test_what_is_in_the_way_before_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be known, as with a program that lists no GPU, and what is about to go, is not."""
    monkeypatch.setenv("PATH", str(tmp_path))
    there = {**having(container("fast"), container("other", port=30001)), "": "no such manifest: x"}
    text = INVENTORY.replace('engine = "vllm"', 'engine = "vllm"\ngpus = ["big"]') + CARD
    root = kernel(tmp_path / "root", {})

    def codes(*leaving: str) -> list[str]:
        context = subject(tmp_path, text, there, root=root)
        context.leaving = leaving
        return [diagnostic.code for diagnostic in obstacles(context)]

    always = ["missing-model-folder", "image-cannot-be-pulled"]
    assert codes() == [*always, "container-name-is-taken", "port-is-taken"]
    assert codes("fast") == [*always, "port-is-taken"]
    assert codes("fast", "other") == always


def test_a_port_of_a_mode_that_goes_on_is_in_the_way(tmp_path: Path) -> None:
    there = having(container("coder", project="box", service="coder", port=30001))
    context = subject(tmp_path, INVENTORY, {**there, "image inspect": IMAGE}, root=kernel(tmp_path / "root", MODEL))

    assert [diagnostic.summary for diagnostic in obstacles(context)] == ["port is taken"]
