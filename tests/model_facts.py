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
