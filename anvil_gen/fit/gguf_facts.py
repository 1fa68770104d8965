"""Facts of a model from the header of its GGUF file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from anvil_gen.catalog.architectures import Architectures, Family
from anvil_gen.fit.gguf_header import GgufHeader, Tensor
from anvil_gen.fit.model_facts import Attention, Bytes, Experts, Latent, Linear, ModelFacts, spell_layers
from anvil_gen.patterns import lazy_pattern

_BLOCK = lazy_pattern(r"blk\.(\d+)\.")
_EXPERTS = lazy_pattern(r"_exps\.")
_STATE_BYTES = 4  # llama.cpp keeps states in single precision


def gguf_facts(header: GgufHeader, known: Architectures) -> ModelFacts:
    """Return the facts of a GGUF model."""
    architecture = str(header.metadata.get("general.architecture", ""))
    layers = header.get("block_count", 0) - header.get("nextn_predict_layers", 0)
    family = known.find(architecture, "gguf")
    heads = _one(header.get("attention.head_count", 0))
    pattern = _pattern(header, family, layers)
    unknown = "" if family is not None else f'the architecture "{architecture}" is not known: its cache may be smaller'
    kv_heads = _kv_heads(header, layers)
    return ModelFacts(
        architecture=architecture,
        layers=spell_layers(pattern),
        attention=_attention(header, kv_heads, pattern, "F"),
        sliding=_attention(header, kv_heads, pattern, "S") if set("SC") & set(pattern) else None,
        mla=_latent(header) if "M" in pattern else None,
        linear=_linear(header) if "L" in pattern else None,
        kv_heads=kv_heads if len({heads for heads in kv_heads if heads}) > 1 else (),
        moe=_experts(header),
        hidden=header.get("embedding_length", 0),
        intermediate=_one(header.get("feed_forward_length", 0)),
        heads=heads,
        max_context=header.get("context_length"),
        vocabulary=_vocabulary(header),
        bytes=_bytes(header.tensors, layers),
        dtypes=_dtypes(header.tensors),
        dtype="float16",
        format="gguf",
        unknown=unknown,
    )


def _one(value: int | Sequence[int]) -> int:
    """Return a number that may be written for each layer: the largest."""
    return value if isinstance(value, int) else max(value, default=0)


def _kv_heads(header: GgufHeader, layers: int) -> tuple[int, ...]:
    """Return the number of key-value heads of each layer."""
    written = header.get("attention.head_count_kv", header.get("attention.head_count", 0))
    found = [written] * layers if isinstance(written, int) else list(written)
    return tuple(found[:layers])


def _pattern(header: GgufHeader, family: Family | None, layers: int) -> str:
    unit: str = family.layers if family is not None else "F"
    window, written = header.get("attention.sliding_window", 0), header.get("attention.sliding_window_pattern")
    interval = header.get("full_attention_interval", 0)
    if family is not None and family.windowed and window:
        unit = family.windowed
    if unit == "M" and not header.get("attention.key_length_mla"):
        unit = "F"  # converted before latent attention was cached as such
    if isinstance(written, list):
        pattern: str = "".join("S" if sliding else "F" for sliding in written)[:layers]
    elif set("SC") & set(unit) and not window:
        pattern = "F" * layers
    else:
        if unit == "LLLF" and interval:
            unit = "L" * (interval - 1) + "F"
        pattern = (unit * layers)[:layers]
    return _without_cache(header, pattern)


def _without_cache(header: GgufHeader, pattern: str) -> str:
    """Return a pattern in which layers have no cache that use another's, or have no head for one."""
    heads = _kv_heads(header, len(pattern))
    if "L" in pattern and not isinstance(header.get("attention.head_count_kv", 0), int):
        states = _layers_with(header.tensors, "ssm_")
        kinds = [
            "F" if count else "L" if at in states else "N" for at, count in zip(range(len(pattern)), heads, strict=True)
        ]
        return "".join(kinds)
    shared = int(header.get("attention.shared_kv_layers", 0))
    return pattern[: len(pattern) - shared] + "N" * shared


def _layers_with(tensors: Iterable[Tensor], word: str) -> set[int]:
    """Return the layers that have a tensor whose name has a word in it."""
    found = [(_BLOCK.match(tensor.name), tensor) for tensor in tensors if word in tensor.name]
    return {int(match[1]) for match, _ in found if match is not None}


def _attention(header: GgufHeader, kv_heads: tuple[int, ...], pattern: str, kind: str) -> Attention | None:
    own = [heads for heads, letter in zip(kv_heads, pattern, strict=False) if (letter in "SC") == (kind == "S")]
    if not any(own):
        return None
    head_dim = header.get("embedding_length", 0) // max(_one(header.get("attention.head_count", 1)), 1)
    key = header.get("attention.key_length", head_dim)
    value = header.get("attention.value_length", head_dim)
    if kind == "S":
        key, value = header.get("attention.key_length_swa", key), header.get("attention.value_length_swa", value)
    window = header.get("attention.sliding_window") if kind == "S" else None
    return Attention(kv_heads=max(own), head_dim=key, value_dim=None if value == key else value, window=window)


def _latent(header: GgufHeader) -> Latent:
    return Latent(
        rank=header.get("attention.kv_lora_rank", 0),
        rope=header.get("rope.dimension_count", 0),
        indexer=header.get("attention.indexer.key_length", 0),
    )


def _linear(header: GgufHeader) -> Linear:
    inner, heads = header.get("ssm.inner_size", 0), header.get("ssm.time_step_rank", 0) or 1
    heads = heads if inner % heads == 0 else 1
    return Linear(
        k_heads=header.get("ssm.group_count", 0),
        v_heads=heads,
        k_dim=header.get("ssm.state_size", 0),
        v_dim=inner // heads,
        kernel=header.get("ssm.conv_kernel", 0),
        state_bytes=_STATE_BYTES,
    )


def _experts(header: GgufHeader) -> Experts | None:
    count = header.get("expert_count", 0)
    if not count:
        return None
    return Experts(
        experts=count,
        used=header.get("expert_used_count", 1),
        intermediate=header.get("expert_feed_forward_length", 0) or _one(header.get("feed_forward_length", 0)),
        bytes=sum(tensor.size for tensor in header.tensors if _EXPERTS.search(tensor.name)),
    )


def _vocabulary(header: GgufHeader) -> int:
    counted = header.lengths.get("tokenizer.ggml.tokens", 0)
    return int(header.get("vocab_size", 0)) or counted or _rows_of_embeddings(header.tensors)


def _rows_of_embeddings(tensors: Iterable[Tensor]) -> int:
    return next((tensor.shape[1] for tensor in tensors if tensor.name == "token_embd.weight"), 0)


def _bytes(tensors: Sequence[Tensor], layers: int) -> Bytes:
    by_layer = [0] * layers
    embeddings = output = 0
    for tensor in tensors:
        block = _BLOCK.match(tensor.name)
        if block is not None and int(block[1]) < layers:
            by_layer[int(block[1])] += tensor.size
        elif tensor.name == "token_embd.weight":
            embeddings += tensor.size
        elif tensor.name.startswith("output"):
            output += tensor.size
    total = sum(tensor.size for tensor in tensors)
    return Bytes(language=total, embeddings=embeddings, output=output, layers=tuple(by_layer))


def _dtypes(tensors: Iterable[Tensor]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for tensor in tensors:
        sums[tensor.dtype] = sums.get(tensor.dtype, 0) + tensor.size
    return sums
