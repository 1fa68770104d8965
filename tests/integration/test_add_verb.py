"""`anvil-gen add` as a process: what it shows, when it asks, and what it writes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from free_ports import free_port
from gguf_files import Q4_0, Shape, model
from running import Result, anvil_gen

MODEL = Shape(
    layers=32, hidden=4096, intermediate=14336, heads=32, kv_heads=8, head_dim=128, context=131072, dtype=Q4_0
)

SIZE = ("--gpu-memory-mib", "24576")
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "num_hidden_layers": 28, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "hidden_size": 1024, "max_position_embeddings": 40960,
}  # fmt: skip
WEIGHTS = json.dumps({"w": {"dtype": "BF16", "shape": [1 << 29], "data_offsets": [0, 1 << 30]}}).encode()
FILES = {
    "config.json": json.dumps(CONFIG).encode(),
    "model.safetensors": len(WEIGHTS).to_bytes(8, "little") + WEIGHTS,
    "m-Q4_K_M.gguf": b"",
}


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


@pytest.fixture
def offline(fleet: Path) -> dict[str, str]:
    """A Hub that is not reached, and a Hugging Face cache with a model in the form of each engine."""
    box, cache = fleet / "hosts/box.toml", fleet / "hf" / "hub"
    box.write_text(box.read_text().replace("[gpus.a]", 'hfcache.volume = "hub"\n[gpus.a]'))
    for repo, names in {
        "org--dense": ("config.json", "model.safetensors"),
        "org--eight-GGUF": ("m-Q4_K_M.gguf",),
    }.items():
        snapshot = cache / f"models--{repo}" / "snapshots" / "c0ffee"
        snapshot.mkdir(parents=True)
        (snapshot.parent.parent / "refs").mkdir()
        (snapshot.parent.parent / "refs" / "main").write_text("c0ffee")
        for name in names:
            (snapshot / name).write_bytes(FILES[name])
        if "GGUF" in repo:
            model(snapshot / names[0], MODEL)
    return {
        "HF_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "HF_HOME": str(fleet / "hf"),
        "XDG_CACHE_HOME": str(fleet),
    }


def test_without_a_network_a_model_of_the_cache_is_added(fleet: Path, offline: dict[str, str]) -> None:
    options = {
        ("org/dense", "--name", "dense"): "vllm",
        ("org/eight-GGUF:Q4_K_M", "--name", "eight", "--standby"): "llamacpp",
    }
    found = [anvil_gen("add", "box", *given, "--yes", cwd=fleet, env=offline) for given in options]
    tiers = tomllib.loads((fleet / "hosts/box.toml").read_text())["tiers"]
    fits = anvil_gen("fit", "box", "--json", cwd=fleet, env=offline)

    assert [(result.code, result.stderr) for result in found] == [(0, "")] * 2
    assert [tier["engine"] for tier in tiers.values()] == list(options.values())
    assert {tier["verdict"] for tier in json.loads(fits.stdout)["tiers"]} == {"fits"}


def test_without_a_network_and_a_cache_it_says_what_helps(fleet: Path, offline: dict[str, str]) -> None:
    for command in (("add", "box", "org/other"), ("fit", "--model", "org/other", "--engine", "vllm", *SIZE)):
        result = anvil_gen(*command, cwd=fleet, env=offline)

        assert result.code == 1
        assert "org/other: the Hugging Face Hub is not reached" in result.stderr
        assert "bring its files into the Hugging Face cache (HF_HOME)" in result.stderr


def test_of_a_cache_with_a_configuration_alone_the_weights_are_not_known(fleet: Path, offline: dict[str, str]) -> None:
    (fleet / "hf/hub/models--org--dense/snapshots/c0ffee/model.safetensors").unlink()
    result = anvil_gen("fit", "--model", "org/dense", "--engine", "vllm", *SIZE, "--json", cwd=fleet, env=offline)
    found = json.loads(result.stdout)

    assert (result.code, found["weights_gib"], found["verdict"]) == (0, None, "unsure")
