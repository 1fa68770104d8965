"""What a model's `config.json` says that matters for its memory, as one flat table of the lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
# Fact -> the names that configurations have for it, the first that is there.
_NUMBERS = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "heads": ("num_attention_heads", "n_head"),
    "kv_heads": ("num_key_value_heads", "num_attention_heads", "n_head"),
    "head_dim": ("head_dim",),
    "hidden": ("hidden_size", "n_embd"),
    "max_context": ("max_position_embeddings", "n_positions", "seq_length"),
    "vocabulary": ("vocab_size",),
}


def model_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a model; what its configuration does not say is left out."""
    text = _text_part(config)
    found: dict[str, Any] = {name: _number(text, keys) for name, keys in _NUMBERS.items()}
    if not found["head_dim"] and found["hidden"] and found["heads"]:
        found["head_dim"] = found["hidden"] // found["heads"]
    names = config.get("architectures")
    quantization = config.get("quantization_config") or text.get("quantization_config")
    found |= {
        "architecture": str(names[0]) if isinstance(names, list) and names else None,
        "dtype": _text(text, "dtype", "torch_dtype") or _text(config, "dtype", "torch_dtype"),
        "quantization": _text(quantization, "quant_method") if isinstance(quantization, Mapping) else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def brings_code(config: Mapping[str, Any]) -> bool:
    """Tell whether a model wants Python code of its repository to be run."""
    return bool(config.get("auto_map"))


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of the language model, where a configuration has one for each kind of input."""
    for part in _PARTS:
        inner = config.get(part)
        if isinstance(inner, Mapping):
            return _text_part(inner)
    return config


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((value for name in names if type(value := config.get(name)) is int), None)


def _text(config: Mapping[str, Any], *names: str) -> str | None:
    return next((value for name in names if isinstance(value := config.get(name), str)), None)
