"""What a render warns of where a tier lacks what its model needs."""

from pathlib import Path

import pytest

from anvil_gen.deploy.pipeline import Generator

GPU = 'gpus.a = { uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c" }\n'
TOOLS = 'flags.enable-auto-tool-choice = true\nflags.tool-call-parser = "{}"\n'
ARCHITECTURE = """\
lock = 1
[models."me/tuned"]
commit = "0123456789abcdef0123456789abcdef01234567"
facts.architecture = "Qwen3_5MoeForConditionalGeneration"
facts.layers = "LLLF*10"
facts.bytes = { language = 1000 }
"""


def warnings(folder: Path, repo: str, more: str = "", lock: str = "", engine: str = "vllm") -> list[tuple[str, str]]:
    """Return code and address of what is warned of in a tier with a model."""
    text = f'schema = 1\nhfcache.volume = "hub"\n{GPU}[tiers.chat]\nengine = "{engine}"\ngpus = ["a"]\n'
    (folder / "hosts").mkdir()
    (folder / "hosts/box.toml").write_text(f'{text}model = {{ repo = "{repo}" }}\n{more}')
    if lock:
        (folder / "locks").mkdir()
        (folder / "locks/box.toml").write_text(lock)
    host = Generator().render(folder / "hosts/box.toml").host
    return [(one.code, one.address) for one in host.warnings]


MISSING = ("flag-of-the-model-is-missing", "tiers.chat.model")


@pytest.mark.parametrize(
    ("repo", "more", "found"),
    [
        ("Qwen/Qwen3-8B", "", [MISSING, MISSING]),
        ("Qwen/Qwen3-8B", TOOLS.format("hermes"), [MISSING]),
        ("Qwen/Qwen3-8B", TOOLS.format("hermes") + 'flags.reasoning-parser = "qwen3"', []),
        ("Qwen/Qwen3-8B", "flags.tool-call-parser = false\nflags.reasoning-parser = false", []),
        (
            "Qwen/Qwen3-Coder-30B-A3B-Instruct",
            TOOLS.format("hermes"),
            [("parser-of-another-model", "tiers.chat.flags.tool-call-parser")],
        ),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", TOOLS.format("qwen3_xml"), []),
        ("meta-llama/Llama-3.1-8B-Instruct", TOOLS.format("llama3_json"), [MISSING]),
        ("meta-llama/Llama-3.1-8B-Instruct", TOOLS.format("llama3_json") + 'flags.chat-template = "/t.jinja"', []),
        ("openai/gpt-oss-20b", TOOLS.format("openai"), []),
        ("BAAI/bge-m3", 'task = "embedding"', []),
        ("me/unheard-of", "", []),
    ],
)
def test_what_a_model_needs_for_tools_and_reasoning(
    repo: str, more: str, found: list[tuple[str, str]], tmp_path: Path
) -> None:
    """A flag that is removed is meant so; a parser that reads the same form is as good."""
    assert warnings(tmp_path, repo, more) == found


def test_an_engine_that_needs_no_parser_is_not_told_of_one(tmp_path: Path) -> None:
    """llama-server takes the forms from the model's own template."""
    assert warnings(tmp_path, "Qwen/Qwen3-8B-GGUF:Q4_K_M", engine="llamacpp") == []


OLD = ("image-older-than-the-model", "tiers.chat.model")
BOTH = TOOLS.format("qwen3_coder") + 'flags.reasoning-parser = "qwen3"\n'


@pytest.mark.parametrize(("tag", "found"), [("v0.16.0", [OLD]), ("v0.17.0", []), ("nightly", [])])
def test_an_image_that_is_older_than_the_model(tag: str, found: list[tuple[str, str]], tmp_path: Path) -> None:
    """By the tag, where it names a release."""
    assert warnings(tmp_path, "Qwen/Qwen3.5-9B", f'{BOTH}image = "vllm/vllm-openai:{tag}"') == found


def test_the_architecture_in_a_lock_is_known_of_a_model_with_another_name(tmp_path: Path) -> None:
    """Its version is certain, its forms of tool calls are not."""
    assert warnings(tmp_path, "me/tuned", 'image = "vllm/vllm-openai:v0.16.0"', ARCHITECTURE) == [OLD]
