"""A trial as a tier's table: fields instead of flags, TOML types, and what an inventory cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.operate.experiment.tier_from_trial import TrialFacts, free_port, tier_of_trial
from anvil_gen.values import Number

OWN = (
    "serve",
    "org/name",
    "--served-model-name=experiment",
    "--gpu-memory-utilization=0.90",
    "--port=1",
    "--host=0.0.0.0",
)
OPTIONS = {"served_name": "experiment", "gpu_memory_utilization": Number("0.90"), "ipc": "host", "context_length": None}
BASE = {"engine": "vllm", "gpus": ["big"], "port": 1, "model": {"repo": "org/name"}}


def facts(*extra: str, engine: str = "vllm", **known: Any) -> TrialFacts:
    """Return a trial with some flags."""
    found = Catalog().engine(engine)
    assert found is not None
    usual: dict[str, Any] = {
        "slot": {"engine": engine, "gpu": "big", "port": 1, "project": "p", "restart": "always"},
        "defaults": {},
        "options": OPTIONS,
        "image": "vllm/vllm-openai:latest",
        "own": OWN,
        "model": "org/name",
        "served_name": "experiment",
        "gpu": "big",
        "port": 1,
    }
    return TrialFacts(engine_name=engine, engine=found, extra=extra, **{**usual, **known})


def added(*extra: str, **known: Any) -> dict[str, Any]:
    """Return what a trial's table has beside what every one has."""
    mapped = tier_of_trial(facts(*extra, **known), name="coder", standby=False)
    assert mapped.diagnostics == ()
    return {key: value for key, value in mapped.table.items() if key not in BASE or value != BASE[key]}


def told(*extra: str, **known: Any) -> list[tuple[str, str]]:
    """Return summary and detail of what an inventory cannot say of a trial."""
    mapped = tier_of_trial(facts(*extra, **known), name="coder", standby=False)
    return [(diagnostic.summary, diagnostic.detail) for diagnostic in mapped.diagnostics]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ((), {}),
        (("--max-model-len", "8192"), {"context_length": 8192}),
        (("--max_model_len=8192", "--max-num-seqs=4"), {"context_length": 8192, "max_sequences": 4}),
        (("--kv-cache-dtype", "fp8"), {"kv_cache_dtype": "fp8"}),
        (("--kv-cache-dtype=8"), {"kv_cache_dtype": "8"}),
        (("--revision=v1",), {"model": {"repo": "org/name", "revision": "v1"}}),
        (("--tensor-parallel-size=1",), {}),
        (("--gpu-memory-utilization", "0.90"), {}),
        (("--seed", "1", "--temp=0.70", "--name="), {"flags": {"name": "", "seed": 1, "temp": Number("0.70")}}),
        (("--enable-x", "--text=true"), {"flags": {"enable-x": True, "text": "true"}}),
        (("--a", "x", "2"), {"flags": {"a": ["x", 2]}}),
        (('--json={"a":{"b":1}}',), {"flags": {"json": {"a": {"b": 1}}}}),
        (("--a=1", "--a=1"), {"flags": {"a": 1}}),
    ],
)
def test_the_flags_of_a_trial(extra: Any, expected: dict[str, Any]) -> None:
    assert added(*((extra,) if isinstance(extra, str) else extra)) == expected


@pytest.mark.parametrize(
    ("extra", "summary", "detail"),
    [
        (
            ("--gpu-memory-utilization=0.5",),
            "conflicting values",
            "--gpu-memory-utilization: the slot sets 0.90, the trial 0.5",
        ),
        (("--host", "::"), "conflicting values", "--host: the slot sets 0.0.0.0, the trial ::"),
        (("--seed=1", "--seed=2"), "conflicting values", "--seed: the trial sets both 1 and 2"),
        (("--a", "--a=2"), "conflicting values", "--a: the trial sets both nothing and 2"),
        (("--api-key=x", "--api-key=y"), "conflicting values", "--api-key: the trial sets both … and …"),
        (
            ("--api-key-file=x", "--api-key-file=y"),
            "conflicting values",
            "--api-key-file: the trial sets both … and …",
        ),
        (
            ("-tp", "2"),
            "argument cannot be written in an inventory",
            '"-tp" is a short flag; inventories use long names',
        ),
        (
            ("--max-model-len=32k",),
            "value not supported by the field",
            '--max-model-len 32k: the field "context_length" takes a whole number',
        ),
        (("--max-model-len", "1", "2"), "value not supported by the field", None),
        (("--max-model-len",), "value not supported by the field", None),
        (("--tensor_parallel_size=1", "--tensor-parallel-size=2"), "conflicting values", None),
        (("--tensor-parallel-size=2",), "value not supported by the field", None),
        (("--lora-modules=a=/x",), "value not supported by the field", None),
    ],
)
def test_what_an_inventory_cannot_say(extra: tuple[str, ...], summary: str, detail: str | None) -> None:
    found = told(*extra)

    assert found[0][0] == summary
    assert detail is None or found[0][1] == detail


def test_all_of_it_is_told_at_once() -> None:
    assert [summary for summary, _ in told("stray", "-x", "--host=::", "--max-model-len=x")] == [
        "argument cannot be written in an inventory",
        "argument cannot be written in an inventory",
        "conflicting values",
        "value not supported by the field",
    ]


def test_a_flag_that_repeats_is_a_list_where_the_engine_takes_lists_so() -> None:
    llama = {"engine": "llamacpp", "own": ("--hf-repo", "org/name", "--port", "1")}

    assert added("--tag", "a", "--tag", "b", **llama) == {"engine": "llamacpp", "flags": {"tag": ["a", "b"]}}
    assert added("--cache-type-k", "q8_0", "--cache-type-v", "q8_0", **llama)["kv_cache_dtype"] == "q8_0"
    assert told("--cache-type-k", "q8_0", **llama) == [
        (
            "value not supported by the field",
            '--cache-type-k q8_0: the field "kv_cache_dtype" sets --cache-type-k and --cache-type-v to one value',
        )
    ]
    assert [summary for summary, _ in told("--cache-type-k", "a", "--cache-type-v", "b", **llama)] == [
        "conflicting values"
    ]


def test_what_the_slot_says_goes_along_but_its_habits() -> None:
    slot = {
        "engine": "vllm",
        "image": {"env": "IMAGE", "default": "x:1"},
        "gpu": "big",
        "gpu_memory_utilization": Number("0.90"),
        "restart": "no",
        "start_period": "1h",
        "environment": {"B": "2", "A": {"env": "A"}},
        "flags": {"z": True, "a": 1},
        "mounts": {"/media": "videos"},
    }

    assert list(tier_of_trial(facts("--m=1", slot=slot), name="n", standby=True).table.items()) == [
        ("engine", "vllm"),
        ("image", {"env": "IMAGE", "default": "x:1"}),
        ("gpus", ["big"]),
        ("port", 1),
        ("model", {"repo": "org/name"}),
        ("gpu_memory_utilization", Number("0.90")),
        ("start_period", "1h"),
        ("standby", True),
        ("environment", {"A": {"env": "A"}, "B": "2"}),
        ("flags", {"a": 1, "m": 1, "z": True}),
        ("mounts", {"/media": "videos"}),
    ]


def test_what_the_defaults_of_tiers_would_change_is_said_otherwise() -> None:
    defaults = {
        "image": "other:1",
        "gpus": ["small"],
        "served_name": "common",
        "ipc": "private",
        "context_length": 5,
        "flags": {"x": 1, "seed": 2},
    }

    assert added("--seed=3", defaults=defaults) == {
        "image": "vllm/vllm-openai:latest",
        "served_name": "coder",
        "ipc": "host",
        "flags": {"seed": 3, "x": False},
    }
    assert added(defaults=defaults, gpu=None)["gpus"] == []


def test_a_served_name_that_was_asked_for_stays() -> None:
    assert added(served_name="small") == {"served_name": "small"}


@pytest.mark.parametrize(
    ("wanted", "taken", "port"), [(5, {}, 5), (5, {5: "x", 6: "y"}, 7), (65535, {65535: "x"}, None)]
)
def test_a_port_of_the_tiers_own(wanted: int, taken: dict[int, str], port: int | None) -> None:
    assert free_port(wanted, taken) == port
