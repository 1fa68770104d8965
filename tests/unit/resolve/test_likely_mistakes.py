"""What is valid and hardly meant, and what comes near to it and is fine."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import UUID_A, Fault, compared

GPU = f"gpus.a = {{ uuid = '{UUID_A}' }}\n"
DRAFT = "tiers.one = {{ engine = 'vllm', model.path = '/srv/x', flags.▸speculative-config = {{ model = '{}' }}"
LOCAL = "engine = 'llamacpp', model.file = '/srv/x.gguf'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"gpus.a = {{ uuid = '{UUID_A}', memory_mib = ▸24 }}",
            [("number out of range", "gpus.a.memory_mib", "write 24576, if GiB are meant")],
        ),
        (f"gpus.a = {{ uuid = '{UUID_A}', memory_mib = 512 }}", []),
        (
            "tiers.one = { engine = 'vllm', image = ▸'vllm/vllm-openai', model.path = '/srv/x' }",
            [("image without a tag", "tiers.one.image", "write the tag of a release")],
        ),
        (
            f"tiers.one = {{ {LOCAL}, image = ▸'registry:5000/llama.cpp' }}",
            [("image without a tag", "tiers.one.image", "registry:5000/llama.cpp:latest")],
        ),
        (f"tiers.one = {{ {LOCAL}, image = 'ghcr.io/ggml-org/llama.cpp:server' }}", []),
        (f"tiers.one = {{ {LOCAL}, image = {{ env = 'IMAGE', default = 'x' }} }}", []),
        (
            "hfcache.volume = 'hub'\ntiers.one = { engine = 'llamacpp', model.repo = ▸'Qwen3-8B-GGUF' }",
            [("not a model of the Hugging Face Hub", "tiers.one.model.repo", "path for a folder of the host")],
        ),
        # Ollama's own library has names without a slash.
        ("hfcache.volume = 'hub'\ntiers.one = { engine = 'ollama', model.repo = 'qwen3:8b' }", []),
        (
            f"{GPU}tiers.one = {{ {LOCAL}, ▸gpu_memory_utilization = 0.5 }}",
            [("field of a GPU without a GPU", "tiers.one.gpu_memory_utilization", 'gpus = ["a"]')],
        ),
        (f"{GPU}tiers.one = {{ {LOCAL}, gpus = ['a'], gpu_memory_utilization = 0.5 }}", []),
        # A share for all tiers is about those with GPUs.
        (f"{GPU}defaults.gpu_memory_utilization = 0.5\ntiers.one = {{ {LOCAL} }}", []),
        (
            "paths.models = ▸'C:/models'\ntiers.one = { engine = 'llamacpp', model.file = 'x.gguf' }",
            [("not on this platform", "paths.models", 'platform = "wsl2"')],
        ),
        (
            "tiers.one = { engine = 'llamacpp', model.file = ▸'D:\\x.gguf' }",
            [("not on this platform", "tiers.one.model.file", 'platform = "wsl2"')],
        ),
        # A draft that a flag names is not in the container; the field mounts it.
        (
            DRAFT.format("z-lab/x") + " }",
            [("model that nothing mounts", "tiers.one.flags.speculative-config", "the field draft_model")],
        ),
        (
            DRAFT.format("/models/eagle") + " }",
            [("model that nothing mounts", "tiers.one.flags.speculative-config", "the field draft_model")],
        ),
        (DRAFT.format("/models/eagle").replace("▸", "") + ", mounts.'/models/eagle' = '/srv/eagle' }", []),
        ("tiers.one = { engine = 'vllm', model.path = '/srv/x', flags.speculative-config = { method = 'ngram' } }", []),
        ("host.platform = 'wsl2'\ntiers.one = { engine = 'llamacpp', model.file = 'D:\\x.gguf' }", []),
    ],
)
def test_what_is_hardly_meant(text: str, expected: list[Fault], tmp_path: Path) -> None:
    tier = "" if "tiers." in text else f"\ntiers.one = {{ {LOCAL} }}"
    found, wanted = compared(f"schema = 1\n{text}{tier}", expected, tmp_path)

    assert found == wanted


KEYED = "hfcache.volume = 'hub'\n[router]\n{router}\n[tiers.one]\nengine = 'vllm'\nmodel.repo = 'org/m'\n{tier}\n"


@pytest.mark.parametrize(
    ("router", "tier", "at"),
    [
        ("", "flags.▸api-key = { env = 'KEY' }", "flags.api-key"),
        ("api_key_env = 'KEY'", "flags.▸api_key = { env = 'KEY' }", "flags.api_key"),
        ("", "environment.▸VLLM_API_KEY = { env = 'KEY' }", "environment.VLLM_API_KEY"),
        # A key for somebody else, one that says that there is none, and one that is taken out.
        ("", "environment.OPENAI_API_KEY = { env = 'KEY' }", ""),
        ("", "flags.api-key = 'EMPTY'", ""),
        ("", "flags.api-key = false", ""),
    ],
)
def test_a_tier_that_asks_for_a_key_of_its_own_answers_no_router(
    router: str, tier: str, at: str, tmp_path: Path
) -> None:
    expected = [("key that the router does not send", f"tiers.one.{at}", "api_key_env in [router]")] if at else []

    found, wanted = compared(f"schema = 1\n{KEYED.format(router=router, tier=tier)}", expected, tmp_path)

    assert found == wanted


def test_an_alias_of_a_served_name_is_told_the_tier(tmp_path: Path) -> None:
    text = KEYED.format(router="aliases.gpt-4o = ▸'qwen3'", tier="served_name = 'qwen3'")
    expected = [("alias to a missing tier", "router.aliases.gpt-4o", 'write "one", the tier that serves it')]

    found, wanted = compared(f"schema = 1\n{text}", expected, tmp_path)

    assert found == wanted
