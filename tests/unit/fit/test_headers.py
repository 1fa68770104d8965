"""The headers of model files: what is read, what is stepped over, and what a damaged file is told."""

from __future__ import annotations

import json
import random
import struct
from contextlib import suppress
from pathlib import Path
from time import process_time

import msgspec
import pytest
from gguf_files import F16, F32, Q4_0, Shape, model, random_shape, write_gguf

from anvil_gen.catalog.architectures import architectures
from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.fit.facts_source import cached_facts, facts_of_path, locked_facts
from anvil_gen.fit.gguf_facts import gguf_facts
from anvil_gen.fit.gguf_header import HeaderError, read_gguf
from anvil_gen.fit.model_facts import (
    Attention,
    Latent,
    Linear,
    ModelFacts,
    facts_from_table,
    facts_to_table,
    spell_layers,
)
from anvil_gen.fit.safetensors_header import read_safetensors, weight_files

KNOWN = architectures(Catalog())


def safetensors(path: Path, **sizes: int) -> Path:
    """Write a file with tensors of so many bytes."""
    header, at = {}, 0
    for name, size in sizes.items():
        header[name] = {"dtype": "BF16", "shape": [size // 2], "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(at))
    return path


def test_metadata_and_tensors_of_a_gguf_file(tmp_path: Path) -> None:
    header = read_gguf(model(tmp_path / "m.gguf", Shape(layers=3, vocabulary=5000)))

    assert header.get("block_count") == 3
    assert header.lengths["tokenizer.ggml.tokens"] == 5000
    assert "tokenizer.ggml.tokens" not in header.metadata  # stepped over
    assert header.tensors[0].name == "token_embd.weight"
    assert (header.tensors[0].dtype, header.tensors[0].size) == ("F16", 64 * 5000 * 2)


def test_a_quantised_tensor_has_the_size_of_its_blocks(tmp_path: Path) -> None:
    header = read_gguf(write_gguf(tmp_path / "m.gguf", {"general.architecture": "x"}, [("a", (64, 10), Q4_0)]))

    assert header.tensors[0].size == 64 * 10 // 32 * 18


def test_a_model_of_several_files_has_the_tensors_of_all(tmp_path: Path) -> None:
    metadata = {"general.architecture": "llama"}
    first = write_gguf(tmp_path / "m-00001-of-00002.gguf", metadata, [("a", (32,), F32)])
    write_gguf(tmp_path / "m-00002-of-00002.gguf", metadata, [("b", (32,), F16)])

    assert [tensor.name for tensor in read_gguf(first).tensors] == ["a", "b"]


@pytest.mark.parametrize("cut", [0, 3, 4, 8, 24, 60, 200])
def test_a_file_that_ends_early_is_told(tmp_path: Path, cut: int) -> None:
    whole = model(tmp_path / "m.gguf", Shape()).read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:cut])

    with pytest.raises(HeaderError):
        read_gguf(tmp_path / "cut.gguf")


def test_damage_never_ends_otherwise(tmp_path: Path) -> None:
    source, whole = random.Random(5), bytearray(model(tmp_path / "m.gguf", Shape()).read_bytes()[:4000])
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(source.randint(1, 8)):
            broken[source.randrange(4, len(broken))] = source.randrange(256)
        (tmp_path / "broken.gguf").write_bytes(broken)
        with suppress(HeaderError):  # any other error fails the test
            read_gguf(tmp_path / "broken.gguf")


def nested_arrays(depth: int) -> bytes:
    """Return a header with arrays in arrays, each of one item."""
    inner = struct.pack("<IQ", 9, 1) * depth + struct.pack("<IQ", 4, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"a" + struct.pack("<I", 9) + inner


def tensor_of(dimensions: int) -> bytes:
    """Return a header with a tensor of so many sides, each as long as can be."""
    tensor = struct.pack("<Q", 1) + b"a" + struct.pack("<I", dimensions) + b"\xff" * 8 * dimensions
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + tensor + struct.pack("<IQ", 0, 0)


@pytest.mark.parametrize("content", [nested_arrays(100_000), tensor_of(200_000)], ids=["nested", "many sides"])
def test_what_no_model_has_takes_no_time(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    began = process_time()

    with pytest.raises(HeaderError):
        read_gguf(tmp_path / "m.gguf")
    assert process_time() - began < 5


@pytest.mark.parametrize(
    ("config", "index", "header"),
    [
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "", "{}"),
        ("[]", "", "{}"),
        ('{"architectures": 3}', "", "{}"),
        ("{}", "[]", "{}"),
        ("{}", '{"weight_map": {"a": 3}}', "{}"),
        ("{}", "", '{"a": {"dtype": "F16", "shape": [1], "data_offsets": [1, 2, 3]}}'),
        ("{}", "", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    ],
    ids=["nested config", "list", "other kinds", "index", "index of numbers", "offsets", "nested header"],
)
def test_a_folder_that_is_no_model_is_told(tmp_path: Path, config: str, index: str, header: str) -> None:
    (tmp_path / "config.json").write_text(config)
    if index:
        (tmp_path / "model.safetensors.index.json").write_text(index)
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode())

    with pytest.raises(DiagnosticError, match="model cannot be read"):
        facts_of_path(tmp_path, KNOWN)


def test_a_window_on_five_of_six_layers(tmp_path: Path) -> None:
    path = model(tmp_path / "m.gguf", Shape(architecture="gemma3", layers=12, window=512, kv_heads=1, head_dim=256))
    facts = gguf_facts(read_gguf(path), KNOWN)

    assert facts.layers == "SSSSSF*2"
    assert facts.sliding == Attention(kv_heads=1, head_dim=256, window=512)


def test_layers_of_a_file_add_up(tmp_path: Path) -> None:
    for seed in range(20):
        header = read_gguf(model(tmp_path / "m.gguf", random_shape(random.Random(seed))))
        facts = gguf_facts(header, KNOWN)

        assert facts.unknown == ""
        norm = next(tensor.size for tensor in header.tensors if tensor.name == "output_norm.weight")
        assert facts.bytes.language == sum(facts.bytes.layers) + facts.bytes.embeddings + facts.bytes.output
        assert facts.bytes.output > norm


def test_states_latent_attention_and_layers_of_different_heads(tmp_path: Path) -> None:
    qwen = {
        "general.architecture": "qwen3next", "qwen3next.block_count": 8, "qwen3next.full_attention_interval": 4,
        "qwen3next.attention.head_count": 16, "qwen3next.attention.head_count_kv": 2, "qwen3next.ssm.inner_size": 4096,
        "qwen3next.ssm.state_size": 128, "qwen3next.ssm.group_count": 16, "qwen3next.ssm.time_step_rank": 32,
        "qwen3next.ssm.conv_kernel": 4, "qwen3next.attention.key_length": 256, "qwen3next.attention.value_length": 256,
    }  # fmt: skip
    deep = {
        "general.architecture": "deepseek2", "deepseek2.block_count": 4, "deepseek2.attention.head_count": 16,
        "deepseek2.attention.head_count_kv": 1, "deepseek2.attention.kv_lora_rank": 512,
        "deepseek2.rope.dimension_count": 64, "deepseek2.attention.key_length_mla": 192,
    }  # fmt: skip
    various = {
        "general.architecture": "llama", "llama.block_count": 3, "llama.attention.head_count": 8,
        "llama.embedding_length": 512, "llama.attention.head_count_kv": [8, 2, 4],
    }  # fmt: skip
    found = [
        gguf_facts(read_gguf(write_gguf(tmp_path / "m.gguf", metadata, [("a", (32,), F32)])), KNOWN)
        for metadata in (qwen, deep, various)
    ]

    assert found[0].layers == "LLLF*2"
    assert found[0].linear == Linear(k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4, state_bytes=4)
    assert (found[1].layers, found[1].mla) == ("M*4", Latent(rank=512, rope=64))
    assert (found[2].layers, found[2].kv_heads) == ("F*3", (8, 2, 4))


def test_tensors_of_safetensors_files(tmp_path: Path) -> None:
    safetensors(tmp_path / "model-1.safetensors", a=20, b=40)
    safetensors(tmp_path / "model-2.safetensors", c=6)
    safetensors(tmp_path / "consolidated.safetensors", d=100)
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    tensors = read_safetensors(weight_files(tmp_path))

    assert [(tensor.name, tensor.dtype, tensor.size) for tensor in tensors] == [
        ("a", "BF16", 20), ("b", "BF16", 40), ("c", "BF16", 6),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "raw", [b"", b"GGUF", b"\xff" * 64, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b"not json!"]
)
def test_what_is_no_safetensors_file_is_told(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(raw)

    with pytest.raises(HeaderError):
        read_safetensors(weight_files(tmp_path))


def test_a_folder_with_one_gguf_model(tmp_path: Path) -> None:
    model(tmp_path / "model.gguf", Shape(layers=5))
    model(tmp_path / "mmproj-model.gguf", Shape())

    assert facts_of_path(tmp_path, KNOWN).layers == "F*5"


def test_a_complete_snapshot_of_the_cache_is_read_and_another_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--org--name"
    snapshot = folder / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text('{"model_type": "llama", "num_hidden_layers": 3, "num_attention_heads": 2}')
    (snapshot / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')

    assert cached_facts(tmp_path, "org/name", None, KNOWN) is None
    safetensors(snapshot / "model-1.safetensors", a=20)
    found = cached_facts(tmp_path, "org/name", None, KNOWN)
    assert found is not None
    assert (found.layers, found.bytes.language) == ("F*3", 20)
    assert cached_facts(tmp_path, "org/other", None, KNOWN) is None


@pytest.mark.parametrize("what", ["nothing", "text.gguf", "empty"])
def test_what_is_no_model_is_told_with_what_would_be_one(tmp_path: Path, what: str) -> None:
    (tmp_path / "text.gguf").write_text("no model")
    (tmp_path / "empty").mkdir()

    with pytest.raises(DiagnosticError) as caught:
        facts_of_path(tmp_path / what, KNOWN)

    assert caught.value.diagnostics[0].code == "model-cannot-be-read"
    assert "config.json" in caught.value.diagnostics[0].remedy


@pytest.mark.parametrize(
    ("pattern", "spelled"),
    [
        ("F" * 32, "F*32"),
        ("LLLF" * 10, "LLLF*10"),
        ("FFF" + "M" * 58, "F*3 M*58"),
        ("F", "F"),
        ("", ""),
        ("SF", "S F"),
        ("SSFSSFS", "S*2 F S*2 F S"),
    ],
)
def test_layers_are_spelled_short_and_read_again(pattern: str, spelled: str) -> None:
    assert spell_layers(pattern) == spelled
    assert ModelFacts(architecture="", layers=spelled).pattern == pattern


def test_facts_go_through_a_table_of_a_lock(tmp_path: Path) -> None:
    for seed in range(10):
        facts = gguf_facts(read_gguf(model(tmp_path / "m.gguf", random_shape(random.Random(seed)))), KNOWN)

        assert facts_from_table(msgspec.to_builtins(facts_to_table(facts))) == facts


@pytest.mark.parametrize("facts", ['"x"', "3", '{ layers = ["x"] }'])
def test_facts_of_a_lock_that_are_none_are_told(tmp_path: Path, facts: str) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "box.toml").write_text(f"lock = 1\n[models.'a/b']\ncommit = '{'a' * 40}'\nfacts = {facts}\n")

    with pytest.raises(DiagnosticError, match="model cannot be read"):
        locked_facts(tmp_path / "hosts" / "box.toml")
