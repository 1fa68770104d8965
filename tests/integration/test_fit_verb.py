"""`anvil-gen fit` as a process: its numbers as JSON and for people, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from files_hub import FilesHub
from gguf_files import Q4_0, Shape, model
from running import Result, anvil_gen

KEYS = {
    "weights_gib", "kv_gib", "kv_bytes_per_token", "kv_tokens", "concurrency", "max_context", "verdict", "reasons",
}  # fmt: skip
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "num_hidden_layers": 36, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "hidden_size": 4096, "max_position_embeddings": 40960,
}  # fmt: skip


def config_folder(folder: Path) -> Path:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps(CONFIG))
    return folder / "model"


def fit(folder: Path, *arguments: str) -> Result:
    return anvil_gen("fit", *arguments, cwd=folder)


def answer(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_given_cache_is_taken_as_it_is(tmp_path: Path) -> None:
    config_folder(tmp_path)
    options = ("--engine", "vllm", "--engine-version", "0.10", "--gpu-memory-mib", "24095", "--fraction", "0.8")
    result = fit(tmp_path, "--model", "model", *options, "--context", "1024", "--kv-gib", "8.6", "--json")
    found = answer(result)

    assert found.keys() >= KEYS
    assert found["format"] == 1
    assert (found["kv_gib"], found["kv_tokens"]) == ({"low": 8.6, "high": 8.6}, 62608)
    assert (found["kv_bytes_per_token"], found["verdict"], result.code) == (36 * 8 * 256 * 2, "fits", 0)


def test_every_option_of_a_model_is_taken(tmp_path: Path) -> None:
    config_folder(tmp_path)
    model(tmp_path / "m.gguf", Shape(layers=4))
    vllm = (
        "--engine vllm --engine-version 0.31 --gpu-memory-mib 81920 --fraction 0.9 --context 8192 --max-sequences 8 "
        "--max-batched-tokens 2048 --kv-dtype fp8 --tensor-parallel 2 --no-prefix-caching --speculative-tokens 2 --json"
    )
    llama = "--engine llamacpp --gpu-memory-mib 8192 --context 4096 --parallel 2 --ubatch 128 --n-gpu-layers 2 --json"

    assert answer(fit(tmp_path, "--model", "model", *vllm.split()))["kv_bytes_per_token"] == 36 * 4 * 256
    found = answer(fit(tmp_path, "--model", "m.gguf", *llama.split()))
    assert found["verdict"] == "fits"
    assert found["host_gib"]["low"] > 0


def test_what_does_not_fit_exits_with_2_and_says_why(tmp_path: Path) -> None:
    config_folder(tmp_path)
    result = fit(tmp_path, "--model", "model", "--engine", "vllm", "--gpu-memory-mib", "24576", "--kv-gib", "1")

    assert result.code == 2
    assert "does not fit" in result.stdout
    assert "one request of the whole context takes 5.62 GiB of cache, and at most 1.00 GiB are left" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name a HOST, or a model"),
        (("box", "--model", "model"), "name a HOST, or a model"),
        (("--model", "model"), "--model needs --engine"),
        (("--model", "model", "--engine", "vllm"), "--model needs --gpu-memory-mib"),
        (("--model", "model", "--engine", "nope", "--gpu-memory-mib", "1"), "is none of: llamacpp"),
        (("--model", "model", "--engine", "vllm", "--gpu-memory-mib", "1", "--kv-dtype", "q8"), '"q8" is none of'),
        (("--model", "gone.gguf", "--engine", "vllm", "--gpu-memory-mib", "1"), "model cannot be read"),
        (("box", "--context", "512"), "--context goes with --model"),
    ],
)
def test_what_is_missing_or_wrong_is_told(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    config_folder(tmp_path)
    result = fit(tmp_path, *arguments)

    assert result.code == 1
    assert words in result.stderr


def test_a_host_as_a_picture_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    model(tmp_path / "small.gguf", Shape(layers=4))
    (tmp_path / "hosts" / "box.toml").write_text(
        f"""schema = 1
[paths]
models = "{tmp_path.as_posix()}"
[gpus.a]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 8192
reserve_mib = 2048
[tiers.small]
engine = "llamacpp"
gpus = ["a"]
port = 30000
model = {{ file = "small.gguf" }}
gpu_memory = "4GiB"
"""
    )
    shown, found = fit(tmp_path, "box"), answer(fit(tmp_path, "box", "small", "--json"))

    assert "░" * 10 + "█" * 20 + "·" * 10 in shown.stdout
    assert "small 4.00 GiB, reserved 2.00 GiB" in shown.stdout
    assert (found["verdict"], found["tiers"][0]["tier"], found["gpus"][0]["verdict"]) == ("fits", "small", "fits")
    assert found["tiers"][0].keys() >= KEYS
    unknown = fit(tmp_path, "box", "smal")
    assert (unknown.code, 'did you mean "small"?' in unknown.stderr) == (1, True)


EIGHT_BILLION = Shape(
    layers=32, hidden=4096, intermediate=14336, heads=32, kv_heads=8, head_dim=128, context=131072, dtype=Q4_0
)


def test_what_makes_it_fit_is_suggested(tmp_path: Path) -> None:
    model(tmp_path / "m.gguf", EIGHT_BILLION)
    options = ("--model", "m.gguf", "--engine", "llamacpp", "--gpu-memory-mib", "10240", "--context", "131072")
    shown = fit(tmp_path, *options, "--suggest")
    found = answer(fit(tmp_path, *options, "--suggest", "--json"))

    assert found["verdict"] == "does not fit"
    assert {"kv_cache_dtype": "q4_0"} in [fix["changes"] for fix in found["fixes"]]
    assert all(fix["verdict"] == "fits" for fix in found["fixes"])
    assert 'it fits with kv_cache_dtype = "q4_0"' in shown.stdout


def test_which_gpus_of_a_host_take_a_model(tmp_path: Path) -> None:
    config_folder(tmp_path)
    (tmp_path / "hosts").mkdir()
    gpus = "".join(
        f'[gpus.{name}]\nuuid = "GPU-d0f446cf-1771-414c-e116-a3913879{at:04}"\nmemory_mib = {mib}\n'
        for at, (name, mib) in enumerate({"small": 4096, "large": 49152}.items())
    )
    (tmp_path / "hosts/box.toml").write_text(f"schema = 1\n{gpus}")
    model(tmp_path / "m.gguf", EIGHT_BILLION)
    named = ("--model", "m.gguf", "--engine", "llamacpp")
    result = fit(tmp_path, "box", *named, "--context", "65536", "--suggest", "--json")
    (found,) = answer(result)["suggestions"]

    assert {tuple(place["gpus"]): place["verdict"] for place in found["gpus"]} == {
        ("small",): "does not fit",
        ("large",): "fits",
    }


def test_a_gguf_model_of_the_hub_is_read_by_its_header(tmp_path: Path) -> None:
    """By its tag; as the same file on this machine."""
    model(tmp_path / "m.gguf", Shape(layers=4, dtype=Q4_0))
    model(tmp_path / "other.gguf", Shape(layers=8, dtype=Q4_0))
    files = {"m-Q4_K_M.gguf": (tmp_path / "m.gguf").read_bytes(), "m-Q8_0.gguf": (tmp_path / "other.gguf").read_bytes()}
    size = ("--engine", "llamacpp", "--gpu-memory-mib", "8192", "--json")
    with FilesHub({"org/model-GGUF": files}).running() as hub:
        own = {
            "HF_ENDPOINT": f"http://{hub.address}",
            "HF_HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }
        found = [
            answer(anvil_gen("fit", "--model", named, *size, cwd=tmp_path, env=own))
            for named in ("org/model-GGUF:Q8_0", "org/model-GGUF")
        ]
        refused = anvil_gen("fit", "--model", "org/model-GGUF:Q2_K", *size, cwd=tmp_path, env=own)
    local = [answer(fit(tmp_path, "--model", name, *size)) for name in ("other.gguf", "m.gguf")]

    for one in (*found, *local):
        del one["model"]
    assert found == local
    assert "no GGUF file with the tag" in refused.stdout
