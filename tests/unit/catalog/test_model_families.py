"""What is known of models: which family one is of, and parsers that its engines have."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.model_families import ModelFamily, family_of, model_families
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.resolve.flag_check import flag_rules

CATALOG = Catalog()
FAMILIES = model_families(CATALOG)
# https://github.com/vllm-project/vllm/blob/0064cc9cb1ae57b1308015d48a57462fa27a68f2/vllm/tool_parsers/__init__.py, and
# vllm/reasoning/__init__.py: its flags list no choices since 0.11.
VLLM = {
    "tools": "deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4 cohere_command3 cohere_command4 ernie45 glm45 glm47 "
    "granite-20b-fc granite granite4 hermes poolside_v1 hunyuan_a13b hy_v3 internlm jamba lfm2 kimi_k2 kimi_k3 "
    "llama3_json llama4_json llama4_pythonic longcat mimo minimax_m2 minimax_m3 minicpm5 mistral olmo3 openai "
    "phi4_mini_json pythonic qwen3_coder qwen3_xml seed_oss step3 step3p5 inkling xlam gigachat3 functiongemma gemma4 "
    "apertus solar_open2",
    "reasoning": "deepseek_r1 deepseek_v3 deepseek_v4 poolside_v1 cohere_command3 cohere_command4 ernie45 gemma4 glm45 "
    "glm47 openai_gptoss granite holo2 hunyuan_a13b hy_v3 kimi_k2 kimi_k3 mimo minimax_m2 minimax_m2_append_think "
    "minimax_m3 mistral nemotron_v3 olmo3 qwen3 seed_oss step3 step3p5 inkling solar_open2",
}
FLAGS = {"tools": "tool-call-parser", "reasoning": "reasoning-parser"}


def test_at_least_sixty_families_are_known() -> None:
    """Each has a name of its own."""
    assert len({family.title for family in FAMILIES}) == len(FAMILIES) >= 60


@pytest.mark.parametrize(
    ("model", "title"),
    [
        ("Qwen/Qwen3-8B", "Qwen3"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", "Qwen3-Coder"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", "Qwen3 Instruct 2507"),
        ("Qwen/Qwen3-Embedding-0.6B", "Qwen3-Embedding"),
        ("openai/gpt-oss-20b", "gpt-oss"),
        ("BAAI/bge-reranker-v2-m3", "BGE rerankers"),
        ("/srv/models/Qwen2.5-Coder-7B-Instruct-Q4_K_M.gguf", "Qwen2.5-Coder"),
        ("C:\\models\\Mistral-Small-3.2-24B\\", "Mistral Small 3"),
        ("deepseek-ai/DeepSeek-V3.1", "DeepSeek-V3.1"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "DeepSeek-R1 distilled"),
        ("Qwen/Qwen3.6-35B-A3B-FP8", "Qwen3.6"),
        ("google/gemma-4-12B-it", "Gemma 4 12B"),
        ("zai-org/GLM-5.1-FP8", "GLM-5.1"),
        ("nobody/unheard-of-7b", None),
    ],
)
def test_the_longest_pattern_decides(model: str, title: str | None) -> None:
    """By the last part of a name, in any case."""
    family = family_of(model, FAMILIES)
    assert (None if family is None else family.title) == title


def _choices(engine: str, kind: str) -> set[str]:
    timeline = CATALOG.flag_timeline(engine)
    assert timeline is not None
    flag = timeline.at(FLAGS[kind], timeline.newest)
    assert flag is not None
    return set(flag.choices) or set(VLLM[kind].split())


def _parsers() -> Iterator[tuple[ModelFamily, str, str, str]]:
    for family in FAMILIES:
        for kind in FLAGS:
            yield from (
                (family, kind, engine, name) for engine, names in getattr(family, kind).items() for name in names
            )


def test_engines_have_the_parsers() -> None:
    """Every name is one that the newest version of its engine takes."""
    known = {(engine, kind): _choices(engine, kind) for engine in ("vllm", "sglang") for kind in FLAGS}
    assert [(family.title, name) for family, kind, engine, name in _parsers() if name not in known[engine, kind]] == []


def test_flags_of_families_are_flags_of_the_engines() -> None:
    """Each is one that the newest version has, with a value that it takes."""
    found = []
    for family in FAMILIES:
        for name, flags in family.flags.items():
            engine, timeline = CATALOG.engine(name), CATALOG.flag_timeline(name)
            assert engine is not None
            rules = flag_rules(timeline, engine, engine.image)
            assert rules is not None
            found += [(family.title, flag) for flag, value in flags.items() if rules.findings(flag, value)]
    assert found == []


def test_no_architecture_is_in_two_families() -> None:
    """Which one is meant would be chance."""
    names = [name for family in FAMILIES for name in family.architectures]
    assert sorted(set(names)) == sorted(names)


def test_tasks_are_tasks_of_engines() -> None:
    """A family for no chat names a task that an inventory can have."""
    engines = [CATALOG.engine(name) for name in CATALOG.names("engines")]
    tasks = {task for engine in engines if engine is not None for task in engine.tasks}
    assert {family.task for family in FAMILIES} - {""} <= tasks


def test_a_patterns_capitals_are_reported(tmp_path: Path) -> None:
    """Such a pattern would match nothing."""
    (tmp_path / "models").mkdir()
    text = '[[family]]\ntitle = "Own"\nnames = ["Own-*"]\nsource = "https://example.org"\n'
    (tmp_path / "models" / "own.toml").write_text(text)
    with pytest.raises(DiagnosticError) as caught:
        model_families(Catalog(tmp_path))
    assert [one.location.line for one in caught.value.diagnostics if one.location] == [3]


def test_a_fleets_own_families_are_added(tmp_path: Path) -> None:
    """They stand beside the shipped ones."""
    (tmp_path / "models").mkdir()
    text = '[[family]]\ntitle = "Own"\nnames = ["own-*"]\nsource = "https://example.org"\n'
    (tmp_path / "models" / "own.toml").write_text(text)
    found = family_of("me/Own-7B", model_families(Catalog(tmp_path)))
    assert found is not None
    assert found.title == "Own"


def test_each_was_compared_with_its_source_or_says_that_it_was_not() -> None:
    silent = [family.title for family in FAMILIES if not family.checked and "was found" not in " ".join(family.quirks)]
    empty = [
        family.title
        for family in FAMILIES
        if not (family.tools or family.reasoning or family.task or family.since or family.quirks or family.sampling)
    ]

    assert (silent, empty) == ([], [])
