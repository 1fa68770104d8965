"""The timelines of flags: what is read of them, and that the engines' own data fits each version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.flag_timeline import FlagTimeline
from anvil_gen.catalog.release import Release, image_version
from anvil_gen.resolve.flag_check import FlagRules

CATALOG = Catalog()
ENGINES = [name for name in CATALOG.names("engines") if CATALOG.flag_timeline(name) is not None]
LIMIT = 80 * 1024


def data_of(name: str) -> tuple[Engine, FlagTimeline]:
    engine, timeline = CATALOG.engine(name), CATALOG.flag_timeline(name)
    assert engine is not None
    assert timeline is not None
    return engine, timeline


def own_flags(engine: Engine) -> Iterator[tuple[str, Any]]:
    """Yield the flags that an engine's data writes; None for a value that comes from the inventory."""
    for flags in engine.fields.values():
        yield from ((flag, None) for flag in ([flags] if isinstance(flags, str) else flags))
    tables: list[Mapping[str, Any]] = [engine.flags, *engine.field_flags.values(), *engine.tasks.values()]
    for table in (*tables, *(quirk.flags for quirk in engine.quirks)):
        # A value with a place in it comes from the inventory.
        yield from ((flag, None if "{" in str(value) else value) for flag, value in table.items())
    yield from ((flag, None) for flag in engine.tool_flags)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engines_own_flags_are_those_of_each_version(name: str) -> None:
    engine, timeline = data_of(name)
    wrong = []
    for version in timeline.versions:
        rules = FlagRules(
            engine=engine,
            timeline=timeline,
            release=Release(version=version, certain=True, checked=(version,)),
        )
        for flag, value in own_flags(engine.at(version)):
            found = timeline.find(flag, version)
            told = [] if found is None or value is None else rules.findings(flag, value)
            if found is None or told:
                wrong.append((version, flag, value, [finding.detail for finding in told]))
    assert wrong == []


def test_the_files_are_small_and_have_a_flag_a_line() -> None:
    for name in ENGINES:
        text = (shipped_templates() / "engines" / name / "flags.json").read_text("utf-8")
        data = json.loads(text)
        assert len(text) <= LIMIT
        lines = text.splitlines()
        entries = [*data.get("flags", {}), *data.get("variables", {})]
        assert all(any(line.startswith(f'"{entry}": [[') for line in lines) for entry in entries)


def test_enough_versions_were_captured_and_an_independent_count_agrees() -> None:
    least = {"vllm": 20, "sglang": 10, "llamacpp": 4, "tei": 10, "ollama": 10}
    least |= {"tgi": 10, "lmdeploy": 8, "infinity": 4, "mistralrs": 3, "tabbyapi": 3}
    for name, number in least.items():
        _, timeline = data_of(name)
        assert len(timeline.versions) >= number
        assert [version for version, (captured, _) in timeline.counts.items() if captured == 0] == []
        # The README of llama.cpp's server is older than its source by a flag.
        off = [captured - counted for captured, counted in timeline.counts.values() if captured != counted]
        assert off == ([1, 1] if name == "llamacpp" else [])


@pytest.mark.parametrize(
    ("name", "image", "version"),
    [
        ("vllm", "vllm/vllm-openai:v0.11.2", "0.11.2"),
        ("vllm", "docker.io/vllm/vllm-openai:v0.11.2-cu129@sha256:" + "0" * 64, "0.11.2"),
        ("vllm", "vllm/vllm-openai-rocm:v0.33.0", "0.33.0"),
        ("vllm", "vllm/vllm-openai:v0.11.0rc1", ""),
        ("vllm", "vllm/vllm-openai:nightly", ""),
        ("vllm", "vllm/vllm-openai@sha256:" + "0" * 64, ""),
        ("vllm", "intel/vllm:0.10.2-xpu", ""),
        ("sglang", "lmsysorg/sglang:v0.5.15.post1-cu130", "0.5.15.post1"),
        ("sglang", "lmsysorg/sglang:latest", ""),
        ("llamacpp", "ghcr.io/ggml-org/llama.cpp:server-cuda-b11382", "b11382"),
        ("llamacpp", "ghcr.io/ggml-org/llama.cpp:server-b10068", "b10068"),
        ("llamacpp", "ghcr.io/ggml-org/llama.cpp:server-cuda", ""),
        ("tei", "ghcr.io/huggingface/text-embeddings-inference:cpu-arm64-1.8.3", "1.8.3"),
        ("tei", "ghcr.io/huggingface/text-embeddings-inference:1.9", "1.9"),
        ("tei", "ghcr.io/huggingface/text-embeddings-inference:hopper-latest", ""),
        ("ollama", "ollama/ollama:0.12.6", "0.12.6"),
        ("tgi", "ghcr.io/huggingface/text-generation-inference:3.3.5-rocm", "3.3.5"),
        ("tgi", "ghcr.io/huggingface/text-generation-inference:3.3.6-trtllm", ""),
        ("mistralrs", "ghcr.io/ericlbuehler/mistral.rs:cuda128-sm89-0.9.0", "0.9.0"),
        ("mistralrs", "ghcr.io/ericlbuehler/mistral.rs:cuda-89-latest", ""),
        ("infinity", "michaelf34/infinity:0.0.77-trt-onnx", "0.0.77"),
        ("lmdeploy", "openmmlab/lmdeploy:v0.16.0-cu12.8", "0.16.0"),
        ("tabbyapi", "ghcr.io/theroyallab/tabbyapi:cu13", ""),
        ("ollama", "ollama/ollama:rocm", ""),
    ],
)
def test_the_tag_says_the_version(name: str, image: str, version: str) -> None:
    assert image_version(data_of(name)[0], image) == version


@pytest.mark.parametrize("name", ENGINES)
def test_default_images_are_known_releases(name: str) -> None:
    engine, timeline = data_of(name)
    images = [engine.image, *(image for images in engine.images.values() for image in images.values())]
    # The first release for it; what its flags are is taken from the one before, whose source is the same in its flags.
    newer = ["ghcr.io/huggingface/text-embeddings-inference:121-1.9.4"] if name == "tei" else []
    assert [image for image in images if image and image_version(engine, image) not in timeline.versions] == newer


def test_a_flag_that_changed_its_main_name_is_one_flag() -> None:
    _, timeline = data_of("sglang")
    old, new = (timeline.find("tensor-parallel-size", version) for version in ("0.4.6.post5", "0.5.23"))
    assert old is not None
    assert new is not None
    assert (old.name, new.name) == ("tensor-parallel-size", "tp-size")


def test_a_version_between_two_has_both_as_neighbours() -> None:
    _, timeline = data_of("vllm")
    assert timeline.neighbours("0.9.0.1") == ("0.9.0", "0.9.1")
    assert timeline.neighbours("0.9.1") == ("0.9.1",)
    assert timeline.neighbours("1.0.0") == (timeline.newest,)
    assert timeline.neighbours("0.1.0") == ("0.9.0",)
