"""Verdicts: exact where arithmetic decides, an interval where it does not, and bounds for what is not known."""

from __future__ import annotations

from typing import Any

import pytest
from memory_cases import rules_for
from msgspec.structs import replace

from anvil_gen.fit.estimate import Case, Estimate, exactly
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.model_facts import Attention, Bytes, Experts, Latent, Linear, ModelFacts, Mtp, Quantization
from anvil_gen.fit.settings import GIB, Request, UnknownTypeError, settings_of

DENSE = ModelFacts(
    architecture="Qwen3ForCausalLM",
    layers="F*36",
    attention=Attention(kv_heads=8, head_dim=128),
    hidden=4096,
    intermediate=12288,
    heads=32,
    max_context=40960,
    vocabulary=151936,
    bytes=Bytes(language=16 * GIB, embeddings=GIB, output=GIB),
)
GPU_24 = 24 * GIB


def found(facts: ModelFacts, engine: str, memory: int = GPU_24, kv: int | None = None, **request: Any) -> Estimate:
    version = request.pop("version", None)
    rules = rules_for(engine, version)
    return estimate(Case(facts=facts, request=Request(**request), rules=rules, memory=memory, kv=kv))


@pytest.mark.parametrize(
    ("context", "verdict"),
    [(1024, "fits"), (20000, "unsure"), (34000, "unsure"), (36000, "does not fit"), (400_000, "does not fit")],
)
def test_a_verdict_is_unsure_inside_the_interval(context: int, verdict: str) -> None:
    result = found(replace(DENSE, max_context=None), "vllm", context=context, fraction=0.9)

    assert result.verdict == verdict
    assert bool(result.reasons) == (verdict != "fits")


def test_weights_above_the_share_do_not_fit_whatever_the_context() -> None:
    result = found(DENSE, "vllm", 16 * GIB, context=16)

    assert (result.verdict, result.kv.high) == ("does not fit", 0)
    assert "weights and overhead" in result.reasons[0]


def test_the_longest_context_that_fits_fits_and_one_more_block_does_not() -> None:
    for facts in (DENSE, replace(DENSE, layers="F*12 S*24", sliding=Attention(kv_heads=8, head_dim=128, window=512))):
        endless = replace(facts, max_context=None)
        longest = found(endless, "vllm", kv=GIB, context=4096).max_context
        assert longest is not None

        assert found(endless, "vllm", kv=GIB, context=int(longest.low)).verdict == "fits"
        assert found(endless, "vllm", kv=GIB, context=int(longest.low) + 16).verdict == "does not fit"


def test_a_context_beyond_the_models_own_is_not_called_fitting() -> None:
    result = found(DENSE, "vllm", kv=20 * GIB, context=65536)

    assert result.verdict == "unsure"
    assert "ends at 40,960 tokens" in result.reasons[0]


def test_an_unknown_architecture_has_bounds_and_no_numbers() -> None:
    unknown = replace(DENSE, unknown="it is not known")
    results = [found(unknown, engine, context=context) for engine in ("vllm", "llamacpp") for context in (512, 40960)]

    assert all(result.tokens is None and result.max_context is None for result in results)
    assert all(result.bytes_per_token is None for result in results)
    assert all("it is not known" in result.reasons for result in results)
    assert [result.verdict for result in results] == ["fits", "unsure", "fits", "fits"]
    assert found(unknown, "vllm", 16 * GIB, context=512).verdict == "does not fit"


def test_what_a_version_changes() -> None:
    hybrid = replace(DENSE, layers="SF*12", sliding=Attention(kv_heads=8, head_dim=128, window=128))
    tokens = {
        version: found(hybrid, "vllm", kv=4 * GIB, context=8192, max_batched_tokens=2048, version=version).tokens
        for version in ("0.16", "0.25", "0.26")
    }

    # 2 groups of 12 layers: as blocks of a group, then as whole requests, then with two batches in the windows.
    blocks = 4 * GIB // (12 * 65536)
    assert tokens["0.16"] is not None
    assert tokens["0.16"].low == blocks // 2 * 16
    assert tokens["0.25"] is not None
    assert tokens["0.25"].low == int(blocks / (512 + 136 + 1) * 8192)
    assert tokens["0.26"] is not None
    assert tokens["0.26"].low == int(blocks / (512 + 264 + 1) * 8192)


def test_the_default_of_the_fraction_is_that_of_the_version() -> None:
    old, new = (found(DENSE, "vllm", context=512, version=version).total.high for version in ("0.19", "0.20"))

    assert (old / GPU_24, new / GPU_24) == pytest.approx((0.9, 0.92))


def test_kv_heads_fewer_than_gpus_are_copied() -> None:
    one, four, eight = (
        found(replace(DENSE, attention=Attention(kv_heads=4, head_dim=128)), "vllm", tensor_parallel=gpus, context=16)
        for gpus in (1, 4, 8)
    )

    assert one.bytes_per_token == 36 * 4 * 256 * 2
    assert four.bytes_per_token == eight.bytes_per_token == 36 * 256 * 2
    assert eight.weights.expected == 2 * GIB


def test_what_is_not_loaded_is_not_counted() -> None:
    whole = replace(DENSE, bytes=Bytes(language=8 * GIB, vision=GIB), mtp=Mtp(layers=1, bytes=2 * GIB))
    sizes = [
        found(whole, "vllm", context=16, **request).weights.low / GIB
        for request in ({}, {"speculative_tokens": 2}, {"language_only": True})
    ]

    assert sizes == [7, 9, 6]


def test_single_precision_is_loaded_in_half() -> None:
    single = replace(DENSE, bytes=Bytes(language=2 * GIB), dtypes={"F32": 2 * GIB}, dtype="float32")

    assert found(single, "tei").weights.expected == GIB
    assert found(replace(single, format="gguf"), "llamacpp", context=512).weights.low <= 2 * GIB


def test_experts_are_padded_as_the_kernels_want() -> None:
    moe = Experts(experts=32, used=4, intermediate=2880, bytes=10 * GIB)
    facts = replace(DENSE, hidden=2880, moe=moe, quantization=Quantization(method="mxfp4"))

    assert found(facts, "vllm", 80 * GIB).weights.expected == pytest.approx(
        6 * GIB + 10 * GIB * (2944 * 3072) / (2880 * 2880), rel=1e-6
    )


def test_states_that_are_fewer_than_sequences_are_told() -> None:
    linear = Linear(k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4, state_bytes=4)
    facts = replace(DENSE, layers="LLLF*9", linear=linear)

    assert found(facts, "vllm", kv=4 * GIB, context=4096, max_sequences=16).verdict == "fits"
    many = found(facts, "vllm", kv=4 * GIB, context=4096, max_sequences=1024)
    assert many.verdict == "unsure"
    assert "max_sequences" in many.reasons[0]


def test_layers_are_split_between_gpu_and_host() -> None:
    results = [found(DENSE, "llamacpp", 20 * GIB, context=8192, n_gpu_layers=layers) for layers in (0, 1, 19, 37, 999)]
    on_gpu = [result.weights.low / GIB for result in results]
    each = (16 - 2) / 36

    assert on_gpu == pytest.approx([0, 1, 1 + 18 * each, 15, 15])
    whole = 8192 * 36 * 8 * 256 * 2
    assert [result.kv.low for result in results] == pytest.approx([0, 0, whole / 2, whole, whole])
    assert all(result.host.high > 0 for result in results)
    assert results[0].host.low > 16 * GIB


def test_a_model_divided_between_gpus_by_layers_is_uneven_by_one_layer() -> None:
    one, two = (found(DENSE, "llamacpp", 80 * GIB, context=8192, tensor_parallel=gpus) for gpus in (1, 2))

    assert two.weights.low == one.weights.low // 2
    assert two.total.high - two.total.low > one.total.high - one.total.low


def test_each_parallel_request_of_ollama_has_a_context_of_its_own() -> None:
    one, four = (found(DENSE, "ollama", context=4096, parallel=parallel) for parallel in (1, 4))

    assert four.kv.low == 4 * one.kv.low
    assert found(DENSE, "ollama").context == 32768  # its default for 24 GiB


def test_what_needs_more_than_usual_widens_the_interval() -> None:
    usual = found(DENSE, "vllm", 80 * GIB, context=512, max_sequences=256).overhead
    wider = [
        found(replace(DENSE, bytes=Bytes(language=GIB, vision=GIB)), "vllm", 80 * GIB, context=512, max_sequences=256),
        found(DENSE, "vllm", 80 * GIB, context=512, max_sequences=1024),
        found(DENSE, "vllm", 80 * GIB, context=512, max_sequences=256, max_batched_tokens=65536),
        found(DENSE, "vllm", 80 * GIB, context=512, max_sequences=256, tensor_parallel=2),
    ]

    assert all(result.overhead.low == usual.low and result.overhead.high > usual.high for result in wider)


def test_a_draft_that_is_not_counted_is_not_called_fitting() -> None:
    draft = found(DENSE, "vllm", kv=20 * GIB, context=512, speculative_tokens=3)
    own = found(replace(DENSE, mtp=Mtp(layers=1)), "vllm", kv=20 * GIB, context=512, speculative_tokens=3)

    assert (draft.verdict, own.verdict) == ("unsure", "fits")
    assert own.bytes_per_token == 37 * 8 * 256 * 2


def test_weights_that_are_not_there_are_no_number() -> None:
    bare = replace(DENSE, bytes=Bytes(language=0))
    results = [found(bare, engine, context=512) for engine in ("vllm", "llamacpp", "tei")]

    assert [result.weights.expected for result in results] == [None, None, None]
    assert [result.verdict for result in results] == ["unsure", "unsure", "unsure"]
    assert all(result.reasons[0].startswith("its weights are not there") for result in results)
    assert found(bare, "vllm", kv=GIB, context=512).verdict == "fits"


def test_picked_tokens_have_an_indexer_and_a_type_of_their_own() -> None:
    latent = ModelFacts(architecture="", layers="M*61", mla=Latent(rank=512, rope=64, indexer=128), max_context=4096)

    assert found(latent, "vllm", kv=GIB).bytes_per_token == 61 * (576 * 2 + 132)
    assert found(latent, "vllm", kv=GIB, kv_dtype="fp8").bytes_per_token == 61 * (656 + 132)
    assert (
        found(replace(latent, mla=Latent(rank=512, rope=64)), "vllm", kv=GIB, kv_dtype="fp8").bytes_per_token
        == 61 * 576
    )


def test_an_engine_that_adapts_says_so_where_it_may() -> None:
    free = found(DENSE, "llamacpp", 16 * GIB)
    stated = found(DENSE, "llamacpp", 16 * GIB, context=40960, n_gpu_layers=999)

    assert free.verdict == stated.verdict == "does not fit"
    assert (len(free.reasons), len(stated.reasons)) == (2, 1)
    assert free.reasons[0] == stated.reasons[0]
    assert "--fit" in free.reasons[1]


def test_a_type_that_the_engine_does_not_have_is_told() -> None:
    with pytest.raises(UnknownTypeError, match="q8_0"):
        found(DENSE, "llamacpp", kv_dtype="fp8", context=512)


def test_an_embedding_model_needs_no_cache() -> None:
    result = found(replace(DENSE, layers="N*24", attention=None, bytes=Bytes(language=GIB)), "tei")

    assert (result.verdict, result.kv.high, result.bytes_per_token) == ("fits", 0, 0)
    assert found(replace(DENSE, layers="N*24", bytes=Bytes(language=GIB)), "tei", GIB).verdict == "does not fit"


def test_a_draft_keeps_its_tokens_in_the_models_cache() -> None:
    """vLLM counts each of its layers as it is, SGLang as one of the model's where it divides what is left."""
    draft = replace(DENSE, layers="F*4", attention=Attention(kv_heads=4, head_dim=128))
    cells = {}
    for engine in ("vllm", "sglang"):
        case = Case(facts=DENSE, request=Request(context=512), rules=rules_for(engine), memory=GPU_24, draft=draft)
        cells[engine] = estimate(case).bytes_per_token

    assert cells == {"vllm": (36 * 8 + 4 * 4) * 256 * 2, "sglang": pytest.approx((36 + 4) * 8 * 256 * 2)}


def test_a_layout_that_groups_layers_in_another_way_is_doubted() -> None:
    linear = Linear(k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4, state_bytes=4)
    facts = replace(DENSE, layers="LLLF*9", linear=linear)
    verdicts = [
        found(one, "vllm", kv=4 * GIB, context=4096, max_sequences=16, layout=layout).verdict
        for one, layout in ((facts, "HND"), (facts, "BLHNC"), (DENSE, "BLHNC"))
    ]

    assert verdicts == ["fits", "unsure", "fits"]


def test_a_calibrated_cache_is_taken_unasked_by_the_versions_that_look() -> None:
    def size(cache: str, version: str, **request: Any) -> float | None:
        quantised = replace(DENSE, quantization=Quantization(method="nvfp4", cache=cache))
        return found(quantised, "vllm", context=16, version=version, **request).bytes_per_token

    full = 36 * 8 * 256 * 2
    assert size("modelopt:fp8", "0.33") == size("compressed-tensors:fp8", "0.12") == full / 2
    assert size("modelopt:fp8", "0.12") == size("modelopt:fp8", "0.33", kv_dtype="bfloat16") == full


def test_windows_are_kept_whole_where_a_version_or_a_flag_does_so() -> None:
    windows = replace(DENSE, layers="SF*18", sliding=Attention(kv_heads=8, head_dim=128, window=128))
    chunks = replace(windows, layers="CCCF*9")
    alone = replace(windows, layers="S*36")

    def concurrency(facts: ModelFacts, version: str, **request: Any) -> float:
        result = found(facts, "vllm", kv=8 * GIB, context=32768, version=version, **request).concurrency
        assert result is not None
        return result.low

    whole = concurrency(DENSE, "0.33")
    assert concurrency(windows, "0.9.0") == concurrency(windows, "0.33", full_window=True) == whole
    assert concurrency(windows, "0.9.1") > 1.5 * whole
    assert concurrency(chunks, "0.12") == whole
    assert concurrency(chunks, "0.13") > 2 * whole
    assert concurrency(alone, "0.9.0") > 10 * whole


def test_states_have_a_pool_of_their_own_beside_the_tokens() -> None:
    linear = Linear(k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4, state_bytes=4)
    hybrid = replace(DENSE, layers="LLLF*9", linear=linear)
    given, computed = (found(hybrid, "sglang", kv=kv, fraction=0.8, context=4096) for kv in (GIB, None))
    dense = found(DENSE, "sglang", fraction=0.8, context=4096)

    assert given.tokens is not None
    assert given.tokens.low == GIB // (9 * 4096)
    assert computed.kv.low == pytest.approx(dense.kv.low / 1.9)
    assert computed.kv.high < dense.kv.high


def test_what_is_not_known_at_all_does_not_fit_for_certain() -> None:
    nothing = ModelFacts(
        architecture="Whisper", layers="F*32", attention=Attention(kv_heads=0, head_dim=0), unknown="?"
    )
    endless = replace(DENSE, max_context=None)

    assert found(nothing, "vllm", kv=GIB, context=448).verdict == "unsure"
    assert found(endless, "vllm", kv=20 * GIB).verdict == "unsure"


def test_what_predicts_tokens_has_a_pool_of_its_own_beside_the_one_that_is_given() -> None:
    draft = replace(DENSE, layers="F*2", attention=Attention(kv_heads=2, head_dim=128))
    case = Case(facts=DENSE, request=Request(context=4096, fraction=0.9), rules=rules_for("sglang"), memory=GPU_24)
    predicted = replace(
        case, facts=replace(DENSE, mtp=Mtp(layers=1)), request=replace(case.request, speculative_tokens=3)
    )
    alone, with_draft, with_mtp = (estimate(one) for one in (case, replace(case, draft=draft), predicted))

    assert alone.tokens is not None
    for found_here, layers in ((with_draft, 38), (with_mtp, 37)):
        assert found_here.tokens is not None
        assert found_here.tokens.high == alone.tokens.high
        assert found_here.tokens.low == int(found_here.kv.low // (layers * 4096))
    given = [estimate(replace(one, kv=4 * GIB)).tokens for one in (case, replace(case, draft=draft), predicted)]
    assert given == [exactly(4 * GIB // (36 * 4096))] * 3


def test_a_state_is_of_the_type_that_is_asked_for() -> None:
    linear = Linear(k_heads=8, v_heads=64, k_dim=128, v_dim=64, kernel=4)
    hybrid = replace(DENSE, layers="LF*12", linear=linear)
    tokens = [
        found(hybrid, "vllm", kv=4 * GIB, context=4096, state_dtype=dtype, version="0.19").tokens
        for dtype in (None, "float16", "float32")
    ]

    own, half, whole = (one.low for one in tokens if one is not None)
    assert own == half > whole


def test_memory_that_the_system_shares_is_not_certain() -> None:
    apart, shared = (
        found(DENSE, "vllm", size * GIB, fraction=0.9, context=4096, max_sequences=256) for size in (96, 119)
    )

    assert apart.overhead.high == pytest.approx(3.4 * GIB)
    assert shared.overhead.high == pytest.approx(15.4 * GIB)
    assert shared.overhead.low == apart.overhead.low


def test_a_block_that_is_asked_for_is_no_smaller_than_a_state_needs() -> None:
    linear = Linear(k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4, state_bytes=4)
    hybrid = replace(DENSE, layers="LLLF*9", linear=linear)

    def tokens(facts: ModelFacts, block: int | None) -> float:
        result = found(facts, "vllm", kv=GIB, context=512, version="0.19", block=block).tokens
        assert result is not None
        return result.low

    token = 36 * 8 * 256 * 2
    assert (tokens(DENSE, None), tokens(DENSE, 256)) == (GIB // (16 * token) * 16, GIB // (256 * token) * 256)
    assert tokens(hybrid, None) == tokens(hybrid, 64) == GIB // (9 * 528 * 4096) // 4 * 528
    assert tokens(hybrid, 1024) == GIB // (9 * 1024 * 4096) // 4 * 1024


@pytest.mark.parametrize(("gib", "tokens"), [(79.19, 8192), (79.25, 2048), (79.65, 8192), (80.0, 2048), (95.6, 8192)])
def test_an_a100_has_the_small_defaults_of_a_batch(gib: float, tokens: int) -> None:
    settings = settings_of(Request(), DENSE, rules_for("vllm", "0.31"), gib)

    assert (settings.max_batched_tokens, settings.max_sequences) == (tokens, 256 if tokens == 2048 else 1024)


def test_a_request_of_a_decoder_takes_the_blocks_of_all_that_its_encoder_reads() -> None:
    """28 for 448 tokens of text, and 128 for a batch of 2,048 of sound."""
    attention = Attention(kv_heads=20, head_dim=64)
    whisper = replace(
        DENSE, layers="FX*32", attention=attention, sliding=replace(attention, window=1500), max_context=448
    )
    block = 32 * 16 * 20 * 128 * 2
    one, less = (found(whisper, "vllm", kv=number * block, version="0.19") for number in (156, 155))

    assert one.concurrency is not None
    assert one.concurrency.low == 1
    assert (one.verdict, less.verdict) == ("fits", "does not fit")
