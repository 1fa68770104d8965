"""Whether a model can be divided between the GPUs of its tier, by its own configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_engine import engine, subject, told
from fake_machine import kernel

from anvil_gen.operate.doctor.parallelism import check_parallelism

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[hfcache]
path = "/srv/hub"
[tiers.fast]
engine = "vllm"
port = 30001
"""
BY_PATH = 'model = { path = "m" }\n'
BY_REPO = 'model = { repo = "org/m" }\n'
FILE = "srv/models/m/config.json"
HEADS = {"num_attention_heads": 32, "num_hidden_layers": 3}
FOUR = "32 attention heads over 4 GPUs"
NOT_DIVISIBLE = "model cannot be divided between the GPUs"


@pytest.mark.parametrize(
    ("tier", "file", "config", "outcome"),
    [
        (f"{BY_PATH}gpus = 4", FILE, HEADS, [("pass", FOUR)]),
        (f"{BY_PATH}gpus = 4", FILE, {"text_config": HEADS}, [("pass", FOUR)]),
        (
            f"{BY_REPO}gpus = 4",
            "srv/hub/hub/models--org--m/snapshots/abc/config.json",
            HEADS,
            [("pass", FOUR)],
        ),
        (
            f"{BY_PATH}gpus = 6\ntensor_parallel = 2\npipeline_parallel = 3",
            FILE,
            HEADS,
            [("pass", "32 attention heads over 2 GPUs, 3 layers in 3 stages")],
        ),
        (f"{BY_PATH}gpus = 3", FILE, HEADS, [("fail", NOT_DIVISIBLE)]),
        (f"{BY_PATH}gpus = 'all'\ntensor_parallel = 3", FILE, HEADS, [("fail", NOT_DIVISIBLE)]),
        (f"{BY_PATH}gpus = 4\npipeline_parallel = 4", FILE, HEADS, [("fail", NOT_DIVISIBLE)]),
        (f"{BY_PATH}gpus = 1", FILE, HEADS, []),
        (f"{BY_PATH}gpus = 3\ndata_parallel = 3", FILE, HEADS, []),
        # What is not on this host, or says nothing of it, is not judged.
        (f"{BY_PATH}gpus = 3", "srv/models/other/config.json", HEADS, []),
        (f"{BY_PATH}gpus = 3", FILE, {}, []),
        (f"{BY_PATH}gpus = 3", FILE, ["num_attention_heads"], []),
        (f"{BY_REPO}gpus = 3", FILE, HEADS, []),
    ],
)
def test_a_division(tier: str, file: str, config: object, outcome: list[tuple[str, str]], tmp_path: Path) -> None:
    root = kernel(tmp_path / "root", {file: json.dumps(config)})
    found = told(check_parallelism(subject(tmp_path, INVENTORY + tier, engine(), root=root)))

    assert [(verdict, text) for verdict, _, text in found] == outcome


def test_where_it_is_written(tmp_path: Path) -> None:
    root = kernel(tmp_path / "root", {FILE: json.dumps(HEADS)})
    places = []
    for index, tier in enumerate(("gpus = 3", "gpus = 'all'\ntensor_parallel = 3")):
        (check,) = check_parallelism(subject(tmp_path / str(index), INVENTORY + BY_PATH + tier, engine(), root=root))
        places.append(check.diagnostic.address if check.diagnostic is not None else "")

    assert places == ["tiers.fast.gpus", "tiers.fast.tensor_parallel"]


def test_a_file_that_is_no_configuration(tmp_path: Path) -> None:
    root = kernel(tmp_path / "root", {FILE: "{"})

    assert told(check_parallelism(subject(tmp_path, f"{INVENTORY}{BY_PATH}gpus = 3", engine(), root=root))) == []
