"""Facts of models that several tests reckon with."""

from __future__ import annotations

from anvil_gen.fit.model_facts import Attention, Bytes, ModelFacts

QWEN3_8B = ModelFacts(
    architecture="Qwen3ForCausalLM",
    layers="F*36",
    attention=Attention(kv_heads=8, head_dim=128),
    max_context=40960,
    hidden=4096,
    intermediate=12288,
    heads=32,
    vocabulary=151936,
    bytes=Bytes(language=16_400_000_000, embeddings=1_244_659_712),
)
CHAT_LOCK = """lock = 1
[models."org/chat"]
commit = "0123456789abcdef0123456789abcdef01234567"
[models."org/chat".facts]
architecture = "Qwen3ForCausalLM"
layers = "F*36"
attention = { kv_heads = 8, head_dim = 128 }
max_context = 40960
bytes = { language = 8000000000 }
"""
"""A lock with the facts of a model of 8 GB, `org/chat`."""
