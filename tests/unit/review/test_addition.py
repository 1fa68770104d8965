"""A model that becomes a tier of a host: what is chosen for it, and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gguf_files import Q4_0, Shape, model
from model_facts import QWEN3_8B

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.fit.model_facts import Attention, Bytes, Linear, ModelFacts
from anvil_gen.resolve.host import Host
from anvil_gen.review.addition import Addition, addition_of, wish_of

HEAD = 'schema = 1\nhfcache.volume = "hub"\npaths.models = "{models}"\n'
GPUS = {
    "ada": (24564, "8.9"),
    "pro6000": (97887, "12.0"),
    "rtx5090": (32607, "12.0"),
    "rtx3090": (24576, "8.6"),
    "other3090": (24576, "8.6"),
    "small": (8192, "8.6"),
    "old": (11264, "6.1"),
}
EMBEDDING = ModelFacts(
    architecture="XLMRobertaModel",
    layers="N*24",
    max_context=8192,
    hidden=1024,
    intermediate=4096,
    heads=16,
    bytes=Bytes(language=1_140_000_000),
)
STATES = ModelFacts(
    architecture="Qwen3_5MoeForConditionalGeneration",
    layers="LLLF*10",
    attention=Attention(kv_heads=2, head_dim=256),
    linear=Linear(k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4, state_bytes=4),
    max_context=262144,
    hidden=2048,
    heads=16,
    vocabulary=248320,
    bytes=Bytes(language=35_000_000_000),
)
HUB = {
    "Qwen/Qwen3-8B": QWEN3_8B,
    "me/tuned": QWEN3_8B,
    "BAAI/bge-m3": EMBEDDING,
    "openai/whisper-large-v3": ModelFacts(
        architecture="WhisperForConditionalGeneration",
        layers="F*32",
        attention=Attention(kv_heads=20, head_dim=64),
        max_context=448,
        hidden=1280,
        intermediate=5120,
        heads=20,
        vocabulary=51866,
        bytes=Bytes(language=3_100_000_000),
    ),
    "Qwen/Qwen3.6-35B-A3B-FP8": STATES,
    "Qwen/Qwen3-32B": ModelFacts(
        architecture="Qwen3ForCausalLM",
        layers="F*64",
        attention=Attention(kv_heads=8, head_dim=128),
        max_context=40960,
        hidden=5120,
        intermediate=25600,
        heads=64,
        vocabulary=151936,
        bytes=Bytes(language=32_000_000_000),
    ),
}


def ask(repo: str, _revision: str | None) -> ModelFacts:
    """Return facts as the Hub would say them."""
    return HUB[repo]


def add(folder: Path, named: str, machine: str, tiers: str = "", **wishes: Any) -> Addition:
    """Return a model as a tier of a host with some GPUs."""
    (folder / "hosts").mkdir(parents=True)
    (folder / "models").mkdir()
    model(folder / "models" / "llama-8b-q4_0.gguf", EIGHT_BILLION)
    text = HEAD.format(models=(folder / "models").as_posix())
    for at, name in enumerate(machine.split()):
        mib, capability = GPUS[name]
        text += f'[gpus.{name}]\nuuid = "GPU-d0f446cf-1771-414c-e116-a39138790{at:03}"\n'
        text += f'memory_mib = {mib}\ncompute_capability = "{capability}"\n'
    path = folder / "hosts" / "box.toml"
    path.write_text(text + tiers)
    host = Host(path, Catalog())
    name = wishes.pop("name", None)
    return addition_of(host, wish_of(host, named, **wishes), ask, Generator(), name=name)


EIGHT_BILLION = Shape(
    layers=32, hidden=4096, intermediate=14336, heads=32, kv_heads=8, head_dim=128, context=131072, dtype=Q4_0
)
CHAT = """[tiers.chat]
engine = "vllm"
gpus = ["pro6000"]
port = 30000
model = { repo = "Qwen/Qwen3-8B" }
gpu_memory_utilization = 0.5
"""
PARSERS = {"enable-auto-tool-choice": True, "tool-call-parser": "hermes", "reasoning-parser": "qwen3"}


def chosen(addition: Addition) -> dict[str, Any]:
    """Return what was chosen of a tier, without its model, port and flags."""
    return {key: value for key, value in addition.added.table.items() if key not in ("port", "model", "flags")}


@pytest.mark.parametrize(
    ("named", "gpus", "table"),
    [
        # The smallest GPU that takes the usual context.
        ("Qwen/Qwen3-8B", "pro6000 rtx5090", {"engine": "vllm", "gpus": ["rtx5090"]}),
        # A smaller one would take it with a cache of smaller values.
        ("Qwen/Qwen3-8B", "pro6000 ada", {"engine": "vllm", "gpus": ["pro6000"]}),
        ("Qwen/Qwen3-8B", "pro6000 rtx3090", {"engine": "vllm", "gpus": ["pro6000"]}),
        ("Qwen/Qwen3-32B", "rtx3090 other3090", {"engine": "vllm", "gpus": ["rtx3090", "other3090"]}),
        ("llama-8b-q4_0.gguf", "rtx3090 old", {"engine": "llamacpp", "gpus": ["old"]}),
        ("llama-8b-q4_0.gguf", "", {"engine": "llamacpp"}),
        ("BAAI/bge-m3", "pro6000 small", {"engine": "tei", "gpus": ["small"], "task": "embedding"}),
    ],
)
def test_engine_and_gpus_are_chosen(named: str, gpus: str, table: dict[str, Any], tmp_path: Path) -> None:
    """By the files, the task and what the GPUs hold."""
    found = chosen(add(tmp_path, named, gpus))

    assert {key: found.get(key) for key in ("engine", "gpus", "task", "kv_cache_dtype") if key in found} == table


@pytest.mark.parametrize("named", ["Qwen/Qwen3-8B", "Qwen/Qwen3-32B", "Qwen/Qwen3.6-35B-A3B-FP8", "llama-8b-q4_0.gguf"])
@pytest.mark.parametrize("gpus", ["pro6000", "pro6000 ada", "pro6000 rtx3090 other3090 small"])
def test_what_is_chosen_fits_for_certain_without_warnings(named: str, gpus: str, tmp_path: Path) -> None:
    """Where a GPU is large enough."""
    addition = add(tmp_path, named, gpus)

    assert addition.fit.verdict == "fits"
    assert addition.warnings == ()
    assert [one.verdict for one in addition.fit.tiers] == ["fits"]
    assert addition.added.table["context_length"] >= 32768


def test_a_tier_gets_the_flags_of_its_family(tmp_path: Path) -> None:
    """And what is known of it is said, with its source."""
    addition = add(tmp_path, "Qwen/Qwen3-8B", "ada")

    assert addition.added.table["flags"] == PARSERS
    assert "family: Qwen3 (https://" in addition.choice.notes[0]
    assert addition.added.tier.tool_support


def test_a_family_by_architecture_alone_is_called_so(tmp_path: Path) -> None:
    """Who trained it may have changed its forms."""
    addition = add(tmp_path, "me/tuned", "ada")

    assert addition.added.table["flags"] == PARSERS
    assert "by its architecture alone" in addition.choice.notes[0]


def test_next_to_a_tier_it_gets_what_that_leaves(tmp_path: Path) -> None:
    """With a share that is stated, since the GPU is shared."""
    addition = add(tmp_path, "me/tuned", "pro6000", CHAT, name="second")

    assert float(addition.added.table["gpu_memory_utilization"]) == pytest.approx(0.48)
    assert addition.added.tier.port == 30001
    assert any("next to chat" in note for note in addition.choice.notes)
    assert addition.fit.verdict == "fits"


def test_a_tier_on_standby_may_use_any_gpu(tmp_path: Path) -> None:
    """It runs in a mode of its own, whatever holds the GPU in the default one."""
    full = CHAT.replace("0.5", "0.9").replace("pro6000", "ada")
    with pytest.raises(DiagnosticError) as caught:
        add(tmp_path / "a", "me/tuned", "ada", full)
    addition = add(tmp_path / "b", "me/tuned", "ada", full, standby=True)

    assert "--standby" in caught.value.diagnostics[0].remedy
    assert addition.added.table["standby"] is True
    assert addition.added.tier.name not in [tier.name for tier in addition.added.host.stack.modes[0].tiers]


def test_a_small_model_leaves_the_rest_of_its_gpu(tmp_path: Path) -> None:
    """A share that holds plenty of requests is enough."""
    addition = add(tmp_path, "openai/whisper-large-v3", "pro6000")

    assert float(addition.added.table["gpu_memory_utilization"]) <= 0.2
    assert addition.fit.verdict == "fits"


def test_what_is_asked_for_is_taken(tmp_path: Path) -> None:
    """GPU, engine, context and name."""
    addition = add(
        tmp_path, "Qwen/Qwen3-8B", "ada pro6000", gpus=("pro6000",), engine="sglang", context=12345, name="fast"
    )

    assert addition.added.tier.name == "fast"
    assert chosen(addition) == {"engine": "sglang", "gpus": ["pro6000"], "context_length": 12345}


@pytest.mark.parametrize(
    ("named", "gpus", "wishes", "code"),
    [
        ("Qwen/Qwen3-32B", "small", {}, "no-gpu-takes-the-model"),
        ("Qwen/Qwen3-8B", "", {}, "no-engine-for-the-model"),
        ("Qwen/Qwen3-8B", "old", {}, "no-engine-for-the-model"),
        ("Qwen/Qwen3-8B", "ada", {"gpus": ("nope",)}, "unknown-gpu"),
        ("Qwen/Qwen3-8B", "ada", {"engine": "nope"}, "unknown-engine"),
        ("Qwen/Qwen3-8B", "ada", {"name": "No name"}, "invalid-name"),
        ("missing.gguf", "ada", {}, "model-cannot-be-read"),
    ],
)
def test_why_nothing_is_chosen(named: str, gpus: str, wishes: dict[str, Any], code: str, tmp_path: Path) -> None:
    """Each with its own code, and a remedy."""
    with pytest.raises(DiagnosticError) as caught:
        add(tmp_path, named, gpus, **wishes)

    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.remedy


def test_every_other_byte_stays(tmp_path: Path) -> None:
    """Comments, spaces and line ends too."""
    addition = add(tmp_path, "Qwen/Qwen3-8B", "ada", "# a comment   \r\n\r\n[router]\r\n")
    path = addition.added.host.path
    before = path.read_bytes()
    addition.added.write()

    assert path.read_bytes().startswith(before)
    assert Host(path, Catalog()).stack.tiers[0].model == "Qwen/Qwen3-8B"
    assert [one.service for one in addition.plan.services if one.service == "qwen3-8b"] == ["qwen3-8b"]


@pytest.mark.parametrize(
    "text", [CHAT.replace("tiers.chat", 'tiers."qwen3-8b"'), f'{CHAT}served_name = "qwen3-8b"\n[router]\n']
)
def test_a_taken_name_is_counted(text: str, tmp_path: Path) -> None:
    """The name of a model is free as often as it is added: of tiers, and of what clients ask for."""
    assert add(tmp_path, "Qwen/Qwen3-8B", "pro6000 ada", text).added.tier.name == "qwen3-8b-2"
