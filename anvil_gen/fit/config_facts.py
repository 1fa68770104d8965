"""Facts of a model from its `config.json` and the tensors of its safetensors files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anvil_gen.catalog.architectures import Architectures, Family
from anvil_gen.fit.gguf_header import Tensor
from anvil_gen.fit.model_facts import (
    Attention,
    Bytes,
    Experts,
    Latent,
    Linear,
    ModelFacts,
    Mtp,
    Quantization,
    spell_layers,
)
from anvil_gen.patterns import lazy_pattern

_KINDS = {
    "full_attention": "F",
    "attention": "F",
    "sliding_attention": "S",
    "chunked_attention": "C",
    "linear_attention": "L",
    "mamba": "L",
    "conv": "L",
    "mlp": "N",
    "moe": "N",
}
"""How configurations call the kinds of layers."""
_LETTERS = {"M": "L", "*": "F", "-": "N", "E": "N"}
"""The letters of `hybrid_override_pattern`."""
_TEXT_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
_LAYER = lazy_pattern(r"(?:^|\.)layers\.(\d+)\.")
_VISION = lazy_pattern(
    r"(?:^|\.)(?:visual|vision\w*|image_newline|multi_modal_projector|embed_vision|mm_projector|audio_tower)\b"
)
_EXPERT = lazy_pattern(r"\.experts\.")
_HEADS = ("num_attention_heads", "n_head", "decoder_attention_heads")
_CACHE_KEYS = ("kv_cache_scheme", "kv_cache_quant_algo")
_CACHE_TYPES = {"float8": "fp8", "float4": "nvfp4"}
_SIZES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}


def config_facts(
    config: Mapping[str, Any], tensors: Sequence[Tensor], known: Architectures, *, commit: str | None = None
) -> ModelFacts:
    """Return the facts of a model of the Hugging Face Hub, or of a folder in its form."""
    text = _text_part(config)
    kind = text.get("model_type") or config.get("model_type") or ""
    text = {**known.defaults(kind), **text}
    family = known.find(kind, "config") or known.find(config.get("model_type") or "", "config")
    pattern, unknown = _pattern(text, family, kind)
    heads = text.get("num_attention_heads") or 0
    layers = len(pattern)
    return ModelFacts(
        architecture=next(iter(config.get("architectures") or ()), kind),
        commit=commit,
        layers=spell_layers(pattern),
        attention=_attention(text, "F", pattern) if set(pattern) & set("FN") else None,
        sliding=_attention(text, "S", pattern) if set(pattern) & set("SCX") else None,
        mla=_latent(text) if "M" in pattern else None,
        linear=_linear(text, family) if "L" in pattern else None,
        kv_heads=_heads_of_blocks(text, layers),
        moe=_experts(text, tensors),
        mtp=_mtp(text, tensors, layers),
        hidden=_first_number(text, "hidden_size", "n_embd", "d_model"),
        intermediate=_first_number(text, "intermediate_size", "n_inner", "ffn_hidden_size"),
        heads=heads,
        max_context=_max_context(text, config),
        vocabulary=text.get("vocab_size") or config.get("vocab_size") or 0,
        bytes=_bytes(tensors),
        dtypes=dict(Counter({t.dtype: 0 for t in tensors}) + Counter(_sum_by_dtype(tensors))),
        dtype=_dtype(text, config),
        quantization=_quantization(config, text),
        unknown=unknown,
    )


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a configuration that describes the language model, be it of several levels."""
    for name in _TEXT_PARTS:
        if isinstance(config.get(name), dict):
            return _text_part({"model_type": config.get("model_type"), **config[name]})
    return config


def _pattern(text: Mapping[str, Any], family: Family | None, kind: str) -> tuple[str, str]:
    """Return the kind of each layer, and why it is not known; then as many layers with full attention."""
    count = _first_number(text, "decoder_layers", "num_hidden_layers", "n_layer", "num_layers")
    if count == 0:
        return "", "how many layers it has is not known"
    if family is None:
        return (
            "F" * count,
            f'the architecture "{kind}" is not known: its cache may be smaller than that of full attention',
        )
    pattern = _listed(text) or _repeated(text, family, count)
    if "?" in pattern:
        return "F" * count, "it has layers of a kind that is not known"
    shared = text.get("num_kv_shared_layers") or 0
    pattern = pattern[: len(pattern) - shared] + "N" * shared
    if "L" in pattern and _linear(text, family) is None:
        return "F" * count, "the size of its states is not known"
    if set("FSC") & set(pattern) and not _attention_is_known(text):
        return "F" * count, "its number of attention heads is not known"
    return pattern, ""


def _attention_is_known(text: Mapping[str, Any]) -> bool:
    return bool(text.get("head_dim") or _first_number(text, *_HEADS))


def _listed(text: Mapping[str, Any]) -> str:
    """Return the kinds of layers where the configuration lists them; ``?`` for one that is not known."""
    if isinstance(text.get("hybrid_override_pattern"), str):
        return "".join(_LETTERS.get(letter, "?") for letter in text["hybrid_override_pattern"])
    if isinstance(text.get("block_configs"), list):
        return "".join("F" if _group_of_block(block) else "N" for block in text["block_configs"])
    listed = text.get("layer_types") or text.get("layers_block_type")
    if not isinstance(listed, list):
        return ""
    kinds = [_KINDS.get(kind, "?") for kind in listed]
    return "".join("F" if kind == "S" and not text.get("sliding_window") else kind for kind in kinds)


def _repeated(text: Mapping[str, Any], family: Family, count: int) -> str:
    unit = family.layers
    if family.windowed and text.get("sliding_window") and text.get("use_sliding_window", True):
        unit = family.windowed
    every = text.get("sliding_window_pattern") or text.get("full_attention_interval")
    if isinstance(every, int) and every > 1 and len(unit) > 1:
        unit = unit[0] * (every - 1) + "F"
    if unit == "M" and not text.get("kv_lora_rank"):
        unit = "F"
    if "X" in unit:
        return unit * count
    attends = set(text.get("attn_layer_indices") or ())
    return "".join("F" if at in attends else letter for at, letter in enumerate((unit * count)[:count]))


def _group_of_block(block: Any) -> int:
    """Return how many heads share a key and a value in a layer that was searched for; 0 where it has no attention."""
    attention = block.get("attention") or {}
    return 0 if attention.get("no_op") or attention.get("replace_with_linear") else attention.get("n_heads_in_group", 1)


def _heads_of_blocks(text: Mapping[str, Any], layers: int) -> tuple[int, ...]:
    """Return the key-value heads of each layer where the configuration has a description of each."""
    blocks = text.get("block_configs")
    if not isinstance(blocks, list) or len(blocks) != layers:
        return ()
    heads = _first_number(text, "num_attention_heads")
    return tuple(heads // group if group else 0 for group in map(_group_of_block, blocks))


def _attention(text: Mapping[str, Any], kind: str, pattern: str) -> Attention:
    heads = _first_number(text, *_HEADS)
    has_one = text.get("multi_query") and not text.get("new_decoder_architecture")
    kv_heads = 1 if has_one else _first_number(text, "num_key_value_heads", "num_kv_heads", "multi_query_group_num")
    kv_heads = kv_heads or heads
    head_dim = _first_number(text, "head_dim", "attention_head_dim") or _first_number(
        text, "hidden_size", "n_embd", "d_model"
    ) // max(heads, 1)
    value_dim = text.get("v_head_dim")
    if kind == "F" and set("SC") & set(pattern):
        kv_heads = text.get("num_global_key_value_heads") or kv_heads
        head_dim = text.get("global_head_dim") or head_dim
    elif kind == "S":
        kv_heads = text.get("swa_num_key_value_heads") or kv_heads
        head_dim = text.get("swa_head_dim") or head_dim
        value_dim = text.get("swa_v_head_dim") or value_dim
    window = _first_number(text, "sliding_window", "attention_chunk_size", "max_source_positions") or None
    return Attention(
        kv_heads=kv_heads, head_dim=head_dim, value_dim=value_dim or None, window=window if kind == "S" else None
    )


def _latent(text: Mapping[str, Any]) -> Latent:
    return Latent(
        rank=text["kv_lora_rank"], rope=text.get("qk_rope_head_dim") or 0, indexer=text.get("index_head_dim") or 0
    )


def _linear(text: Mapping[str, Any], family: Family | None) -> Linear | None:
    """Return the size of a state; None where the configuration does not say it in a way that is known."""
    state_bytes = _SIZES.get(str(text.get("mamba_ssm_dtype") or text.get("mamba_ssm_cache_dtype")), 0)
    state_bytes = state_bytes or (family.state_bytes if family is not None else 2)
    if text.get("linear_num_value_heads"):
        return Linear(
            k_heads=text["linear_num_key_heads"],
            v_heads=text["linear_num_value_heads"],
            k_dim=text["linear_key_head_dim"],
            v_dim=text["linear_value_head_dim"],
            kernel=text.get("linear_conv_kernel_dim") or 4,
            state_bytes=state_bytes,
        )
    if text.get("conv_L_cache"):
        hidden = _first_number(text, "hidden_size")
        return Linear(k_heads=0, v_heads=hidden, k_dim=0, v_dim=1, kernel=text["conv_L_cache"], state_bytes=state_bytes)
    heads = _first_number(text, "mamba_n_heads", "mamba_num_heads", "num_heads")
    state = _first_number(text, "mamba_d_state", "ssm_state_size", "state_size")
    if not heads or not state:
        return None
    inner = (text.get("mamba_expand") or text.get("expand") or 2) * (text.get("hidden_size") or 0)
    return Linear(
        k_heads=_first_number(text, "mamba_n_groups", "n_groups") or 1,
        v_heads=heads,
        k_dim=state,
        v_dim=_first_number(text, "mamba_d_head", "mamba_head_dim", "head_dim") or inner // heads,
        kernel=_first_number(text, "mamba_d_conv", "conv_kernel") or 4,
        state_bytes=state_bytes,
    )


def _experts(text: Mapping[str, Any], tensors: Iterable[Tensor]) -> Experts | None:
    count = _first_number(text, "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
    if not count:
        return None
    used = _first_number(text, "num_experts_per_tok", "experts_per_token", "moe_k", "moe_topk", "top_k_experts")
    return Experts(
        experts=count,
        used=used or 1,
        intermediate=_first_number(text, "moe_intermediate_size", "intermediate_size"),
        bytes=sum(tensor.size for tensor in tensors if _EXPERT.search(tensor.name)),
    )


def _mtp(text: Mapping[str, Any], tensors: Iterable[Tensor], layers: int) -> Mtp | None:
    count = _first_number(text, "num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")
    size = sum(tensor.size for tensor in tensors if _is_mtp(tensor.name, layers))
    return Mtp(layers=count or 1, bytes=size) if count or size else None


def _is_mtp(name: str, layers: int) -> bool:
    layer = _LAYER.search(name)
    return name.startswith(("mtp.", "model.mtp.")) or (
        layer is not None and int(layer[1]) >= layers > 0 and not _VISION.search(name)
    )


def _bytes(tensors: Iterable[Tensor]) -> Bytes:
    vision = language = embeddings = output = 0
    for tensor in tensors:
        if _VISION.search(tensor.name):
            vision += tensor.size
            continue
        language += tensor.size
        embeddings += tensor.size if "embed_tokens" in tensor.name or "word_embeddings" in tensor.name else 0
        output += tensor.size if re.search(r"(?:^|\.)lm_head\.", tensor.name) else 0
    return Bytes(language=language, vision=vision, embeddings=embeddings, output=output)


def _sum_by_dtype(tensors: Iterable[Tensor]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for tensor in tensors:
        sums[tensor.dtype] = sums.get(tensor.dtype, 0) + tensor.size
    return sums


def _quantization(config: Mapping[str, Any], text: Mapping[str, Any]) -> Quantization | None:
    found = config.get("quantization_config") or text.get("quantization_config")
    if not isinstance(found, dict):
        return None
    method = str(found.get("quant_method") or "unknown").lower()
    algorithm = str(found.get("quant_algo") or found.get("format") or "").lower()
    if "nvfp4" in algorithm or "nvfp4" in method:
        method = "nvfp4"
    elif "float-quantized" in algorithm or algorithm == "fp8":
        method = "fp8"
    block = found.get("weight_block_size")
    return Quantization(
        method=method, block=tuple(block) if isinstance(block, list) else (), cache=_quantised_cache(found)
    )


def _quantised_cache(found: Mapping[str, Any]) -> str:
    """Return by what and for which type of the cache a checkpoint was calibrated: ``modelopt:fp8``."""
    tool = str(found.get("quant_method") or "").lower().partition("_")[0]
    parts = [part for part in (found.get("quantization"), found) if isinstance(part, dict)]
    asked = next((part[key] for key in _CACHE_KEYS for part in parts if part.get(key)), None)
    if isinstance(asked, dict):
        asked = _CACHE_TYPES.get(f"{asked.get('type')}{asked.get('num_bits')}")
    return f"{tool}:{asked.lower()}" if tool and isinstance(asked, str) else ""


def _dtype(text: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    return str(
        text.get("dtype") or text.get("torch_dtype") or config.get("dtype") or config.get("torch_dtype") or "bfloat16"
    )


def _max_context(text: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    names = ("max_position_embeddings", "n_positions", "seq_length", "max_seq_len", "max_target_positions")
    own = _first_number(text, *names) or _first_number(config, *names)
    return max(own, _stretched(text, own)) or None


def _stretched(text: Mapping[str, Any], own: int) -> int:
    """Return the context to which a configuration stretches the positions of its model with YaRN; else 0."""
    scaling = text.get("rope_scaling") or text.get("rope_parameters")
    if not isinstance(scaling, dict) or "yarn" not in (scaling.get("rope_type"), scaling.get("type")):
        return 0
    factor = scaling.get("factor")
    return int((_first_number(scaling, "original_max_position_embeddings") or own) * factor) if factor else 0


def _first_number(table: Mapping[str, Any], *names: str) -> int:
    return next((table[name] for name in names if type(table.get(name)) is int and table[name] > 0), 0)
