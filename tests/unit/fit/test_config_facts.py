"""Facts from config.json: the numbers that decide the cache, of architectures that cache differently."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.catalog.architectures import architectures
from anvil_gen.catalog.catalog import Catalog
from anvil_gen.fit.config_facts import config_facts
from anvil_gen.fit.gguf_header import Tensor
from anvil_gen.fit.model_facts import Attention, Latent, Linear, ModelFacts

KNOWN = architectures(Catalog())
QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "vocab_size": 151936,
    "torch_dtype": "bfloat16",
}
SLIDING_AND_FULL = ["sliding_attention", "full_attention"] * 18


def facts(config: dict[str, Any], *tensors: Tensor) -> ModelFacts:
    return config_facts(config, tensors, KNOWN)


def test_a_dense_model() -> None:
    found = facts(QWEN3)

    assert (found.architecture, found.layers, found.unknown) == ("Qwen3ForCausalLM", "F*36", "")
    assert found.attention == Attention(kv_heads=8, head_dim=128)
    assert (found.max_context, found.vocabulary, found.hidden, found.heads) == (40960, 151936, 4096, 32)


def test_a_head_is_its_part_of_the_hidden_size_unless_it_is_said() -> None:
    config = {key: value for key, value in QWEN3.items() if key != "head_dim"} | {"model_type": "llama"}

    assert facts(config).attention == Attention(kv_heads=8, head_dim=4096 // 32)


@pytest.mark.parametrize(
    ("more", "layers"),
    [
        ({"model_type": "mistral", "sliding_window": 4096}, "S*36"),
        ({"model_type": "mistral", "sliding_window": None}, "F*36"),
        ({"model_type": "qwen2", "sliding_window": 131072, "use_sliding_window": False}, "F*36"),
        ({"model_type": "gpt_oss", "sliding_window": 128}, "SF*18"),
        ({"model_type": "gemma3_text", "sliding_window": 512, "sliding_window_pattern": 6}, "SSSSSF*6"),
        ({"model_type": "olmo3", "sliding_window": 512, "layer_types": SLIDING_AND_FULL}, "SF*18"),
        ({"model_type": "gemma3n", "num_kv_shared_layers": 15}, "F*36"),  # it is not known
        ({"model_type": "bert"}, "N*36"),
    ],
)  # fmt: skip
def test_the_kinds_of_layers(more: dict[str, Any], layers: str) -> None:
    assert facts(QWEN3 | more).layers == layers


def test_layers_that_use_the_cache_of_others_have_none() -> None:
    found = facts(QWEN3 | {"model_type": "gemma4_text", "sliding_window": 512, "num_kv_shared_layers": 18})

    assert found.pattern == "SSSSSF" * 3 + "N" * 18


def test_global_layers_with_heads_of_their_own() -> None:
    text = QWEN3 | {
        "model_type": "gemma4_text", "num_hidden_layers": 48, "head_dim": 256, "global_head_dim": 512,
        "num_global_key_value_heads": 1, "sliding_window": 1024,
    }  # fmt: skip
    found = facts({"architectures": ["Gemma4ForConditionalGeneration"], "model_type": "gemma4", "text_config": text})

    assert (found.count("F"), found.count("S")) == (8, 40)
    assert found.attention == Attention(kv_heads=1, head_dim=512)
    assert found.sliding == Attention(kv_heads=8, head_dim=256, window=1024)


def test_latent_attention() -> None:
    found = facts(QWEN3 | {"model_type": "deepseek_v3", "kv_lora_rank": 512, "qk_rope_head_dim": 64})

    assert (found.layers, found.mla) == ("M*36", Latent(rank=512, rope=64))


def test_linear_attention_with_its_state_in_single_precision() -> None:
    text = QWEN3 | {
        "model_type": "qwen3_5_moe_text", "num_hidden_layers": 40, "full_attention_interval": 4,
        "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128,
        "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
    }  # fmt: skip
    found = facts({"model_type": "qwen3_5_moe", "text_config": text})

    assert found.layers == "LLLF*10"
    assert found.linear == Linear(k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4, state_bytes=4)


def test_a_mixture_whose_layers_are_spelled_by_letters() -> None:
    more = {
        "model_type": "nemotron_h", "hybrid_override_pattern": "M-M*-E", "mamba_num_heads": 128, "mamba_head_dim": 64,
        "ssm_state_size": 128, "n_groups": 8, "conv_kernel": 4,
    }  # fmt: skip
    found = facts(QWEN3 | more)

    assert found.pattern == "LNLFNN"
    assert found.linear == Linear(k_heads=8, v_heads=128, k_dim=128, v_dim=64, kernel=4, state_bytes=2)


def test_an_unknown_architecture_says_why_and_is_full_attention_at_most() -> None:
    found = facts(QWEN3 | {"model_type": "brand_new"})

    assert found.layers == "F*36"
    assert 'the architecture "brand_new" is not known' in found.unknown


def test_layers_of_an_unknown_kind_are_not_guessed() -> None:
    found = facts(QWEN3 | {"layer_types": ["full_attention", "holographic_attention"] * 18})

    assert found.unknown == "it has layers of a kind that is not known"


def test_what_weights_are_of() -> None:
    found = facts(
        QWEN3
        | {"num_nextn_predict_layers": 1, "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 64},
        Tensor("model.embed_tokens.weight", "BF16", (10, 10), 200),
        Tensor("model.layers.0.self_attn.q_proj.weight", "F8_E4M3", (10, 10), 100),
        Tensor("model.layers.0.mlp.experts.0.up_proj.weight", "F8_E4M3", (10, 10), 50),
        Tensor("model.layers.36.eh_proj.weight", "BF16", (10, 10), 30),
        Tensor("visual.blocks.0.attn.qkv.weight", "BF16", (10, 10), 7),
        Tensor("lm_head.weight", "BF16", (10, 10), 200),
    )

    assert (found.bytes.language, found.bytes.vision, found.bytes.embeddings, found.bytes.output) == (580, 7, 200, 200)
    assert found.mtp is not None
    assert (found.mtp.layers, found.mtp.bytes) == (1, 30)
    assert found.moe is not None
    assert (found.moe.experts, found.moe.used, found.moe.intermediate, found.moe.bytes) == (8, 2, 64, 50)
    assert found.dtypes == {"BF16": 437, "F8_E4M3": 150}


@pytest.mark.parametrize(
    ("written", "method"),
    [
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, "nvfp4"),
        ({"quant_method": "compressed-tensors", "format": "float-quantized"}, "fp8"),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized"}, "compressed-tensors"),
        ({"quant_method": "awq"}, "awq"),
    ],
)
def test_the_method_of_quantisation(written: dict[str, Any], method: str) -> None:
    found = facts(QWEN3 | {"quantization_config": written})

    assert found.quantization is not None
    assert found.quantization.method == method


GEMMA3 = {"model_type": "gemma3_text", "num_hidden_layers": 48, "hidden_size": 3840, "sliding_window": 1024}


def test_what_a_nested_configuration_leaves_out_is_the_default_of_its_class() -> None:
    small = facts({"model_type": "gemma3", "text_config": GEMMA3})
    large = facts(
        {"model_type": "gemma3", "text_config": GEMMA3 | {"num_attention_heads": 16, "num_key_value_heads": 8}}
    )

    assert small.sliding == Attention(kv_heads=4, head_dim=256, window=1024)
    assert large.attention == Attention(kv_heads=8, head_dim=256)
    assert (large.layers, large.max_context, large.vocabulary) == ("SSSSSF*8", 131072, 262208)


@pytest.mark.parametrize(
    ("more", "heads"),
    [
        ({"multi_query": True, "new_decoder_architecture": False, "num_kv_heads": 71}, 1),
        ({"multi_query": True, "new_decoder_architecture": True, "num_kv_heads": 8}, 8),
    ],
)
def test_the_heads_of_falcon_are_those_of_its_generation(more: dict[str, Any], heads: int) -> None:
    config = {"model_type": "falcon", "num_hidden_layers": 32, "num_attention_heads": 71, "hidden_size": 4544, **more}

    assert facts(config).attention == Attention(kv_heads=heads, head_dim=64)


def test_layers_of_a_searched_model_have_heads_of_their_own_or_none() -> None:
    def block(group: int | None) -> dict[str, Any]:
        return {"attention": {"n_heads_in_group": group, "no_op": group is None}}

    more = {"model_type": "nemotron-nas", "num_hidden_layers": 3, "num_key_value_heads": None}
    found = facts(QWEN3 | more | {"block_configs": [block(8), block(None), block(16)]})

    assert (found.pattern, found.kv_heads) == ("FNF", (4, 0, 2))


def test_layers_that_attend_are_found_by_their_numbers() -> None:
    states = {"mamba_n_heads": 128, "mamba_d_head": 64, "mamba_d_state": 128, "mamba_n_groups": 1}
    found = facts(QWEN3 | states | {"model_type": "bamba", "num_hidden_layers": 8, "attn_layer_indices": [2, 6]})

    assert found.pattern == "LLFLLLFL"


def test_a_short_convolution_keeps_its_last_values_alone() -> None:
    kinds = ["conv", "conv", "full_attention"] * 12
    found = facts(QWEN3 | {"model_type": "lfm2", "layer_types": kinds, "conv_L_cache": 3})

    assert found.layers == "LLF*12"
    assert found.linear == Linear(k_heads=0, v_heads=4096, k_dim=0, v_dim=1, kernel=3)


def test_a_model_of_no_layers_is_not_known() -> None:
    found = facts({"model_type": "dbrx", "n_layers": 40, "max_seq_len": 32768})

    assert found.unknown == "how many layers it has is not known"


@pytest.mark.parametrize(
    ("scaling", "context"),
    [
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),
        ({"type": "yarn", "factor": 2.0}, 81920),
        ({"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}, 40960),
        ({"rope_type": "default"}, 40960),
    ],
)
def test_positions_may_be_stretched(scaling: dict[str, Any], context: int) -> None:
    assert facts(QWEN3 | {"rope_scaling": scaling}).max_context == context


@pytest.mark.parametrize(
    ("written", "cache"),
    [
        ({"quant_method": "modelopt", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}, "modelopt:fp8"),
        ({"quant_method": "modelopt_fp4", "quantization": {"kv_cache_quant_algo": "FP8"}}, "modelopt:fp8"),
        ({"quant_method": "compressed-tensors", "kv_cache_scheme": None}, ""),
        (
            {"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8, "type": "float"}},
            "compressed-tensors:fp8",
        ),
    ],
)
def test_the_cache_that_a_checkpoint_was_calibrated_for(written: dict[str, Any], cache: str) -> None:
    found = facts(QWEN3 | {"quantization_config": written})

    assert found.quantization is not None
    assert found.quantization.cache == cache


def test_a_decoder_keeps_what_its_encoder_read_beside_the_text() -> None:
    config = {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "d_model": 1280,
        "num_hidden_layers": 32, "encoder_layers": 32, "decoder_layers": 4, "decoder_attention_heads": 20,
        "max_target_positions": 448, "max_source_positions": 1500, "vocab_size": 51866,
    }  # fmt: skip
    found = facts(config)

    assert (found.layers, found.max_context, found.hidden, found.unknown) == ("FX*4", 448, 1280, "")
    assert found.attention == Attention(kv_heads=20, head_dim=64)
    assert found.sliding == Attention(kv_heads=20, head_dim=64, window=1500)
