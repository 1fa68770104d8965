"""GGUF models of any shape without weights: a real header, and zeros that take no space on disk."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

F32, F16, Q8_0, Q4_0 = 0, 1, 8, 2
_BLOCKS = {F32: (1, 4), F16: (1, 2), Q8_0: (32, 34), Q4_0: (32, 18)}
_ALIGNMENT = 32
VOCABULARY = 512


class Shape(Struct, frozen=True, kw_only=True):
    """The numbers of a model that decide what it takes."""

    architecture: str = "llama"
    layers: int = 2
    hidden: int = 64
    intermediate: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 16
    vocabulary: int = VOCABULARY
    context: int = 4096
    window: int = 0
    experts: int = 0
    used: int = 0
    expert_intermediate: int = 0
    dtype: int = F16


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    items = list(value)
    kind = (
        8 if isinstance(items[0], str) else 7 if isinstance(items[0], bool) else 6 if isinstance(items[0], float) else 5
    )
    body = b"".join(
        _text(item) if kind == 8 else struct.pack({7: "<?", 6: "<f", 5: "<i"}[kind], item) for item in items
    )
    return struct.pack("<IIQ", 9, kind, len(items)) + body


def write_gguf(path: Path, metadata: Mapping[str, Any], tensors: Sequence[tuple[str, tuple[int, ...], int]]) -> Path:
    """Write a model; its tensors are a hole in the file."""
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    header += b"".join(_text(key) + _value(value) for key, value in metadata.items())
    offset = 0
    for name, shape, kind in tensors:
        elements, size = _BLOCKS[kind]
        count = 1
        for side in shape:
            count *= side
        header += _text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        header += struct.pack("<IQ", kind, offset)
        offset += -(-(count // elements * size) // _ALIGNMENT) * _ALIGNMENT
    with path.open("wb") as file:
        file.write(header)
        file.truncate(-(-len(header) // _ALIGNMENT) * _ALIGNMENT + offset)
    return path


def _vocabulary(size: int) -> dict[str, Any]:
    """Return a byte-level vocabulary: the 256 bytes as GPT-2 spells them, and words behind."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    spelled = [chr(byte) for byte in printable] + [chr(256 + at) for at in range(len(others))]
    tokens = [*spelled, "<s>", "</s>", *(f"w{number}" for number in range(size - 258))][:size]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in ("<s>", "</s>") else 1 for token in tokens],
        "tokenizer.ggml.merges": [f"{spelled[0]} {spelled[1]}"],
        "tokenizer.ggml.bos_token_id": 256,
        "tokenizer.ggml.eos_token_id": 257,
        "tokenizer.chat_template": "{{ messages[0].content }}",
    }


def model(path: Path, shape: Shape) -> Path:
    """Write a model of a shape."""
    name = shape.architecture
    metadata: dict[str, Any] = {
        "general.architecture": name,
        f"{name}.block_count": shape.layers,
        f"{name}.context_length": shape.context,
        f"{name}.embedding_length": shape.hidden,
        f"{name}.feed_forward_length": shape.intermediate,
        f"{name}.attention.head_count": shape.heads,
        f"{name}.attention.head_count_kv": shape.kv_heads,
        f"{name}.attention.key_length": shape.head_dim,
        f"{name}.attention.value_length": shape.head_dim,
        f"{name}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{name}.rope.dimension_count": shape.head_dim,
        **_vocabulary(shape.vocabulary),
    }
    if shape.window:
        metadata[f"{name}.attention.sliding_window"] = shape.window
    if shape.experts:
        metadata[f"{name}.expert_count"] = shape.experts
        metadata[f"{name}.expert_used_count"] = shape.used
        metadata[f"{name}.expert_feed_forward_length"] = shape.expert_intermediate
    tensors: list[tuple[str, tuple[int, ...], int]] = [
        ("token_embd.weight", (shape.hidden, shape.vocabulary), shape.dtype)
    ]
    tensors.append(("output_norm.weight", (shape.hidden,), F32))
    tensors.append(("output.weight", (shape.hidden, shape.vocabulary), shape.dtype))
    for layer in range(shape.layers):
        tensors += _layer(shape, f"blk.{layer}")
    return write_gguf(path, metadata, tensors)


def _layer(shape: Shape, block: str) -> list[tuple[str, tuple[int, ...], int]]:
    hidden, queries, keys = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    tensors: list[tuple[str, tuple[int, ...], int]] = [
        (f"{block}.attn_norm.weight", (hidden,), F32),
        (f"{block}.attn_q.weight", (hidden, queries), shape.dtype),
        (f"{block}.attn_k.weight", (hidden, keys), shape.dtype),
        (f"{block}.attn_v.weight", (hidden, keys), shape.dtype),
        (f"{block}.attn_output.weight", (queries, hidden), shape.dtype),
        (f"{block}.ffn_norm.weight", (hidden,), F32),
    ]
    if shape.architecture.startswith("qwen3") or shape.architecture == "gemma3":
        tensors.append((f"{block}.attn_q_norm.weight", (shape.head_dim,), F32))
        tensors.append((f"{block}.attn_k_norm.weight", (shape.head_dim,), F32))
    if shape.architecture == "gemma3":
        tensors.append((f"{block}.post_attention_norm.weight", (hidden,), F32))
        tensors.append((f"{block}.post_ffw_norm.weight", (hidden,), F32))
    if shape.experts:
        inner = shape.expert_intermediate
        tensors.append((f"{block}.ffn_gate_inp.weight", (hidden, shape.experts), F32))
        tensors.append((f"{block}.ffn_gate_exps.weight", (hidden, inner, shape.experts), shape.dtype))
        tensors.append((f"{block}.ffn_up_exps.weight", (hidden, inner, shape.experts), shape.dtype))
        tensors.append((f"{block}.ffn_down_exps.weight", (inner, hidden, shape.experts), shape.dtype))
    else:
        tensors.append((f"{block}.ffn_gate.weight", (hidden, shape.intermediate), shape.dtype))
        tensors.append((f"{block}.ffn_up.weight", (hidden, shape.intermediate), shape.dtype))
        tensors.append((f"{block}.ffn_down.weight", (shape.intermediate, hidden), shape.dtype))
    return tensors


def random_shape(random_source: random.Random) -> Shape:
    """Return a small shape of usual proportions: of a dense model, of one with a window, or of one with experts."""
    pick = random_source.choice
    architecture = pick(["llama", "qwen3", "gemma3", "qwen3moe"])
    head_dim, kv_heads = pick([64, 128]), pick([1, 2, 4, 8])
    hidden, intermediate = pick([(512, 2048), (1024, 2816), (1024, 4096), (2048, 5632)])
    is_moe = architecture == "qwen3moe"
    return Shape(
        architecture=architecture,
        layers=pick([4, 8, 12, 24]),
        hidden=hidden,
        intermediate=intermediate,
        heads=kv_heads * pick([1, 2, 4]),
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=pick([4096, 32000]),
        context=32768,
        window=pick([512, 1024]) if architecture == "gemma3" else 0,
        experts=pick([16, 32]) if is_moe else 0,
        used=pick([2, 4]) if is_moe else 0,
        expert_intermediate=pick([256, 512]) if is_moe else 0,
        dtype=pick([F16, Q8_0]),
    )


class ProjectorShape(Struct, frozen=True, kw_only=True):
    """The numbers of a projector that decide what it takes."""

    kind: str
    image: int
    patch: int = 16
    hidden: int = 256
    intermediate: int = 1024
    heads: int = 4
    layers: int = 2
    output: int = 64


def projector(path: Path, shape: ProjectorShape) -> Path:
    """Write a projector of a shape."""
    metadata = {
        "general.architecture": "clip",
        "clip.has_vision_encoder": True,
        "clip.projector_type": shape.kind,
        "clip.vision.image_size": shape.image,
        "clip.vision.patch_size": shape.patch,
        "clip.vision.embedding_length": shape.hidden,
        "clip.vision.feed_forward_length": shape.intermediate,
        "clip.vision.block_count": shape.layers,
        "clip.vision.attention.head_count": shape.heads,
        "clip.vision.attention.layer_norm_epsilon": 1e-6,
        "clip.vision.projection_dim": shape.output,
        "clip.vision.image_mean": [0.5, 0.5, 0.5],
        "clip.vision.image_std": [0.5, 0.5, 0.5],
        "clip.use_gelu": shape.kind != "pixtral",
        **_PROJECTOR_KEYS.get(shape.kind, {}),
    }
    tensors = [*_projector_ends(shape)]
    for layer in range(shape.layers):
        tensors += _projector_layer(shape, f"v.blk.{layer}")
    return write_gguf(path, metadata, tensors)


_PROJECTOR_KEYS: Mapping[str, Mapping[str, Any]] = {
    "idefics3": {"clip.vision.projector.scale_factor": 4, "clip.vision.preproc_image_size": 2048},
    "pixtral": {"clip.vision.spatial_merge_size": 2, "clip.use_silu": True},
    "qwen3vl_merger": {"clip.vision.spatial_merge_size": 2},
}


def _projector_ends(shape: ProjectorShape) -> Sequence[tuple[str, tuple[int, ...], int]]:
    """Return the tensors before and behind the layers, which each kind has of its own."""
    hidden, output, patches = shape.hidden, shape.output, (shape.image // shape.patch) ** 2
    pixels = (shape.patch, shape.patch, 3, hidden)
    common: list[tuple[str, tuple[int, ...], int]] = [("v.patch_embd.weight", pixels, F16)]
    if shape.kind == "pixtral":
        return [
            *common,
            ("v.pre_ln.weight", (hidden,), F32),
            ("v.token_embd.img_break", (output,), F32),
            ("mm.1.weight", (hidden, output), F16),
            ("mm.2.weight", (output, output), F16),
            ("mm.input_norm.weight", (hidden,), F32),
            ("mm.patch_merger.weight", (4 * hidden, hidden), F16),
        ]
    common += [
        ("v.patch_embd.bias", (hidden,), F32),
        ("v.position_embd.weight", (hidden, patches), F32),
        ("v.post_ln.weight", (hidden,), F32),
        ("v.post_ln.bias", (hidden,), F32),
    ]
    if shape.kind == "gemma3":
        return [
            *common,
            ("mm.input_projection.weight", (output, hidden), F16),
            ("mm.soft_emb_norm.weight", (hidden,), F32),
        ]
    if shape.kind == "idefics3":
        return [*common, ("mm.model.fc.weight", (16 * hidden, output), F16)]
    return [
        *common,
        ("v.patch_embd.weight.1", pixels, F16),
        ("mm.0.weight", (4 * hidden, 4 * hidden), F16),
        ("mm.0.bias", (4 * hidden,), F32),
        ("mm.2.weight", (4 * hidden, output), F16),
        ("mm.2.bias", (output,), F32),
    ]


def _projector_layer(shape: ProjectorShape, block: str) -> list[tuple[str, tuple[int, ...], int]]:
    hidden, inner = shape.hidden, shape.intermediate
    names = {"attn_q": (hidden, hidden), "attn_k": (hidden, hidden), "attn_v": (hidden, hidden)}
    if shape.kind == "qwen3vl_merger":
        names = {"attn_qkv": (hidden, 3 * hidden)}
    names |= {"attn_out": (hidden, hidden), "ffn_up": (hidden, inner), "ffn_down": (inner, hidden)}
    if shape.kind == "pixtral":
        names["ffn_gate"] = (hidden, inner)
    tensors: list[tuple[str, tuple[int, ...], int]] = []
    for name, sides in names.items():
        tensors += [(f"{block}.{name}.weight", sides, F16), (f"{block}.{name}.bias", sides[1:], F32)]
    for name in ("ln1.weight", "ln1.bias", "ln2.weight", "ln2.bias"):
        tensors.append((f"{block}.{name}", (hidden,), F32))
    return tensors
