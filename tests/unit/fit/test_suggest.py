"""What makes a model fit, and which GPUs of a host take it."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_facts import CHAT_LOCK, QWEN3_8B

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine_memory import engine_memory
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.fit.estimate import Case
from anvil_gen.fit.host_suggest import TierSuggestion, host_suggestions
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.model_facts import Attention, Bytes, Linear, ModelFacts
from anvil_gen.fit.settings import Request
from anvil_gen.fit.suggest import Suggestion, suggest
from anvil_gen.resolve.host import Host

CATALOG = Catalog()
STATES = ModelFacts(
    architecture="Qwen3_5ForConditionalGeneration",
    layers="LLLF*10",
    attention=Attention(kv_heads=2, head_dim=256),
    linear=Linear(k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4, state_bytes=4),
    max_context=262144,
    heads=16,
    bytes=Bytes(language=16_000_000_000),
)


def suggested(engine: str, mib: int, facts: ModelFacts = QWEN3_8B, **request: int | str) -> tuple[Case, Suggestion]:
    rules = engine_memory(CATALOG, engine)
    assert rules is not None
    case = Case(facts=facts, request=Request(**request), rules=rules.of_version(None), memory=mib << 20)  # type: ignore[arg-type]
    return case, suggest(case)


@pytest.mark.parametrize(
    ("engine", "mib", "fixes"),
    [
        ("vllm", 98304, []),
        ("vllm", 24576, [{"context_length": 23552}, {"kv_cache_dtype": "fp8"}]),
        ("llamacpp", 20480, [{"context_length": 26624}, {"kv_cache_dtype": "q8_0"}]),
        ("vllm", 12288, []),
    ],
)
def test_each_fix_is_a_smallest_change(engine: str, mib: int, fixes: list[dict[str, str | int]]) -> None:
    """A smaller cache or a shorter context, not both where one is enough."""
    _, found = suggested(engine, mib)

    assert [fix.changes for fix in found.fixes] == fixes
    assert {fix.estimate.verdict for fix in found.fixes} <= {"fits"}


@pytest.mark.parametrize("mib", range(14000, 60000, 3500))
@pytest.mark.parametrize("engine", ["vllm", "llamacpp", "sglang"])
def test_a_fix_fits_and_nothing_is_suggested_for_what_fits(engine: str, mib: int) -> None:
    """Whatever the size of the GPU."""
    case, found = suggested(engine, mib)

    assert all(fix.estimate.verdict == "fits" for fix in found.fixes)
    assert not found.fixes or estimate(case).verdict != "fits"


def test_sequences_whose_states_have_no_room_are_fewer() -> None:
    """A state for each sequence: fewer of them, with the same context."""
    _, found = suggested("vllm", 24576, STATES, context=32768, max_sequences=256)

    assert [fix.changes for fix in found.fixes] == [{"max_sequences": 64}]


def test_a_type_that_the_gpus_refuse_is_not_suggested() -> None:
    """Of the others nothing changes."""
    case, _ = suggested("vllm", 24576)
    found = suggest(case, frozenset({"fp8"}))

    assert [fix.changes for fix in found.fixes] == [{"context_length": 23552}]
    assert [choice.kv_dtype for choice in found.types] == ["auto"]


INVENTORY = """schema = 1
[hfcache]
path = "/srv/huggingface"
[gpus.mid]
uuid = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"
memory_mib = 24576
compute_capability = "8.6"
[gpus.other]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 24576
compute_capability = "8.6"
[gpus.large]
uuid = "GPU-17c49fa0-52c1-2a17-9f4e-000000000001"
memory_mib = 97887
compute_capability = "12.0"
[gpus.unknown]
uuid = "GPU-17c49fa0-52c1-2a17-9f4e-000000000002"
[gpus.amd]
uuid = "GPU-0123456789abcdef"
vendor = "amd"
memory_mib = 24560
[tiers.chat]
engine = "vllm"
gpus = ["mid"]
port = 30000
model = { repo = "org/chat" }
[tiers.embed]
engine = "tei"
task = "embedding"
gpus = ["large"]
port = 30001
model = { repo = "org/embed" }
gpu_memory = "8GiB"
"""
LOCK = CHAT_LOCK.replace("max_context", "heads = 32\nmax_context")


def suggestion_of(folder: Path, inventory: str) -> TierSuggestion:
    """Return what is suggested for the tier of the lock's model."""

    def no_hub(repo: str, _revision: str | None) -> ModelFacts:
        raise DiagnosticError([Diagnostic(code="model-cannot-be-read", detail=f"{repo}: nobody asks", remedy="")])

    for name, text in (("hosts", inventory), ("locks", LOCK)):
        (folder / name).mkdir()
        (folder / name / "box.toml").write_text(text)
    (suggestion,) = host_suggestions(Host(folder / "hosts/box.toml", Catalog()), ["chat"], no_hub)
    return suggestion


@pytest.fixture
def found(tmp_path: Path) -> TierSuggestion:
    """What is suggested for a tier next to another one."""
    return suggestion_of(tmp_path, INVENTORY)


def test_every_gpu_is_a_place_and_equal_ones_together(found: TierSuggestion) -> None:
    """With what is there already; the tier itself is not in its own way."""
    places = {one.place.names: one for one in found.places}

    assert set(places) == {("mid",), ("other",), ("large",), ("unknown",), ("amd",), ("mid", "other")}
    assert places["mid",].place.beside == ()
    assert places["large",].place.beside == ("embed",)
    assert "memory is not in the inventory" in places["unknown",].place.blocked
    both = places["mid", "other"].placed
    assert both is not None
    assert both.case.request.tensor_parallel == 2
    large = places["large",].placed
    assert large is not None
    assert large.share == pytest.approx(0.89)  # 8 GiB of 95.6, and some for what two processes take besides
    assert large.estimate.verdict == "fits"


def test_a_tier_without_a_share_leaves_nothing(tmp_path: Path) -> None:
    """Who shares a GPU has to say how much."""
    suggestion = suggestion_of(tmp_path, INVENTORY.replace('gpu_memory = "8GiB"\n', ""))

    assert {one.place.names: one.place.blocked for one in suggestion.places}["large",] == (
        "embed is there, and states no share of it"
    )
