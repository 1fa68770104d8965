"""Where the weights of a tier come from: the engine's argument, and the mount that brings them."""

from __future__ import annotations

import pytest
from contexts import context_of, server_of, step_compared
from inventories import Fault

from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import Mount
from anvil_gen.resolve.model_source import Source, hub_mount, tier_sources

HUB = Mount(source="hub", target="/root/.cache/huggingface", volume=True, external=True)
VOLUME = "hfcache.volume = 'hub'\n"
MODELS = "paths.models = '/srv/models'\n"


def sources_told(context: ResolveContext) -> None:
    tier_sources(context, server_of(context))


def local(kind: str, source: str, target: str) -> Source:
    mount = Mount(source=source, target=target, read_only=True)
    return Source(kind="file" if kind == "file" else "path", argument=target, revision=None, mount=mount)


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (
            f"{VOLUME}tiers.one = {{ engine = 'vllm', model.repo = 'org/name' }}",
            {"model": Source(kind="repo", argument="org/name", revision=None, mount=HUB)},
        ),
        (
            f"{VOLUME}tiers.one = {{ engine = 'vllm', model = {{ repo = 'org/name', revision = 'abc' }} }}",
            {"model": Source(kind="repo", argument="org/name", revision="abc", mount=HUB)},
        ),
        (
            "hfcache.path = '/srv/hub'\ntiers.one = { engine = 'ollama', model.repo = 'qwen3:8b' }",
            {
                "model": Source(
                    kind="repo", argument="qwen3:8b", revision=None, mount=Mount(source="/srv/hub", target="/hub")
                )
            },
        ),
        (
            f"{MODELS}tiers.one = {{ engine = 'vllm', model.path = 'org/name/' }}",
            {"model": local("path", "/srv/models/org/name", "/models/org/name")},
        ),
        (
            "tiers.one = { engine = 'vllm', model.path = '/data/deep/name' }",
            {"model": local("path", "/data/deep/name", "/models/name")},
        ),
        (
            "paths.models = 'D:\\models'\ntiers.one = { engine = 'llamacpp', model.file = 'a\\b.gguf' }",
            {"model": local("file", "D:\\models\\a\\b.gguf", "/models/a/b.gguf")},
        ),
        (
            f"{MODELS}[tiers.one]\nengine = 'llamacpp'\nmodel.file = 'm.gguf'\ndraft_model.file = 'd.gguf'\n"
            "mmproj = 'p.gguf'\nlora = { z = 'z.gguf', a = 'a.gguf' }",
            {
                "model": local("file", "/srv/models/m.gguf", "/models/m.gguf"),
                "draft_model": local("file", "/srv/models/d.gguf", "/models/d.gguf"),
                "mmproj": local("file", "/srv/models/p.gguf", "/models/p.gguf"),
                "lora.a": local("path", "/srv/models/a.gguf", "/models/a.gguf"),
                "lora.z": local("path", "/srv/models/z.gguf", "/models/z.gguf"),
            },
        ),
        # An image of one's own need not serve a model that anvil-gen knows of.
        ("tiers.one = { engine = 'custom', image = 'x:1', port = 1 }", {}),
    ],
)
def test_where_weights_come_from(text: str, sources: dict[str, Source]) -> None:
    context = context_of(text)
    found = tier_sources(context, server_of(context))

    assert list(found.items()) == list(sources.items())
    assert context.collector.diagnostics == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "tiers.▸one.engine = 'vllm'",
            [("missing key", "tiers.one", 'write model = { path = "folder" } or model = { repo = "org/name" }')],
        ),
        (
            "tiers.▸one.engine = 'llamacpp'",
            [("missing key", "tiers.one", 'write model = { file = "model.gguf" } or model = { repo = "org/name" }')],
        ),
        (
            f"{VOLUME}tiers.one = {{ engine = 'vllm', model = ▸{{ repo = 'a/b', path = '/c' }} }}",
            [("one of path, repo and file", "tiers.one.model", "keep one of them")],
        ),
        (
            "tiers.one = { engine = 'vllm', model = ▸{} }",
            [("one of path, repo and file", "tiers.one.model", 'write path = "folder"')],
        ),
        # A misspelt key is told already.
        (
            "tiers.one = { engine = 'vllm', model = { ▸pth = '/c' } }",
            [("unknown key", "tiers.one.model.pth", 'did you mean "path"?')],
        ),
        (
            "tiers.one = { engine = 'vllm', model.file = ▸'/m.gguf' }",
            [("not for this engine", "tiers.one.model.file", "use path or repo")],
        ),
        (
            "tiers.one = { engine = 'vllm', model = { path = '/m/a', revision = ▸'abc' } }",
            [("not for this model", "tiers.one.model.revision", "remove it, or use repo")],
        ),
        (
            "tiers.one = { engine = 'vllm', model.repo = ▸'a/b' }",
            [("missing key", "tiers.one.model.repo", 'add a table [hfcache] with volume = "hfcache"')],
        ),
        (
            "hfcache.volume = ▸'vllm-cache'\ntiers.one = { engine = 'vllm', model.repo = 'a/b' }",
            [("volume taken twice", "hfcache.volume", "name another volume")],
        ),
        # Said once, however many paths are relative.
        (
            "tiers.one = { engine = 'llamacpp', model.file = ▸'m.gguf', mmproj = 'p.gguf' }",
            [("missing key", "tiers.one.model.file", 'add a table [paths] with models = "/folder/of/models"')],
        ),
        # Its own step tells of a base that is relative.
        ("paths.models = 'models'\ntiers.one = { engine = 'vllm', model.path = 'a' }", []),
        (
            f"{MODELS}tiers.one = {{ engine = 'vllm', model.path = ▸'../a', lora.x = ▸'.' }}",
            [
                ("not a place below the model folder", "tiers.one.model.path", "name a folder or file below it"),
                ("not a place below the model folder", "tiers.one.lora.x", "name a folder or file below it"),
            ],
        ),
        (
            "tiers.one = { engine = 'vllm', model.path = ▸'/' }",
            [("not a place below the model folder", "tiers.one.model.path", "name a folder or file below it")],
        ),
    ],
)
def test_weights_that_come_from_nowhere(text: str, expected: list[Fault]) -> None:
    found, wanted = step_compared(text, sources_told, expected)

    assert found == wanted


def test_what_is_reported_is_left_out() -> None:
    context = context_of(f"{MODELS}tiers.one = {{ engine = 'llamacpp', model.file = '../m', mmproj = 'p.gguf' }}")

    assert tier_sources(context, server_of(context)) == {
        "mmproj": local("file", "/srv/models/p.gguf", "/models/p.gguf")
    }


def test_without_a_cache_a_repository_has_no_mount() -> None:
    context = context_of("tiers.one = { engine = 'vllm', model.repo = 'a/b' }")
    server = server_of(context)

    assert hub_mount(context, server, server.path) is None
    assert tier_sources(context, server)["model"].argument == "a/b"
