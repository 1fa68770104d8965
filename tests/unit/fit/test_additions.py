"""What `add` chooses for models on GPUs of several sizes: a table that is read by people."""

from __future__ import annotations

from pathlib import Path

import pytest
from additions import DATA, INVENTORY, Addition, additions, table
from places import REPOSITORY

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.fit.choose import Choice, Wish, choose
from anvil_gen.fit.model_facts import facts_from_table
from anvil_gen.resolve.host import Host


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> list[Addition]:
    return list(additions(tmp_path_factory.mktemp("hosts")))


def test_the_page_shows_what_is_chosen(chosen: list[Addition]) -> None:
    rows = "\n".join(table(chosen))

    assert len(chosen) >= 20
    assert rows in (REPOSITORY / "docs" / "memory.md").read_text("utf-8"), f"docs/memory.md has to say:\n{rows}"


def test_what_does_not_fit_anywhere_is_not_chosen(chosen: list[Addition]) -> None:
    settings = {(one.model, one.gpu): one.choice.setup for one in chosen if one.choice is not None}

    assert {setup.verdict for setup in settings.values()} <= {"fits", "unsure"}
    assert ("zai-org/GLM-4.5-Air-FP8", "PRO-6000") not in settings
    # Where nothing is certain, the context leaves as much room as is likely to be there.
    assert settings["Qwen/Qwen3-32B-AWQ", "RTX-3090"].context == 6144
    # A shorter context comes before a smaller cache.
    assert {setup.kv_dtype for setup in settings.values()} == {None}
    assert settings["openai/gpt-oss-20b", "RTX-5080"].context == 16384
    assert settings["Qwen/Qwen3-32B-AWQ", "RTX-5090"].context == 24576


def test_an_engine_is_the_one_for_the_form_and_the_task(chosen: list[Addition]) -> None:
    engines = {one.model: one.choice.engine for one in chosen if one.choice is not None}

    assert {engine for model, engine in engines.items() if "GGUF" in model} == {"llamacpp"}
    assert {engine for model, engine in engines.items() if "mbedding" in model or "reranker" in model} == {"tei"}


def test_why_nothing_takes_it_is_said_in_numbers_with_what_helps(chosen: list[Addition]) -> None:
    found = {(one.model, one.gpu): one for one in chosen}
    too_large, too_long = (
        found["Qwen/Qwen3-8B", "RTX-3060"],
        found["Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", "RTX-5090"],
    )

    assert "15.26 GiB and 0.80 GiB of 11.04 GiB at least" in too_large.why
    assert too_large.remedy == "name a smaller quantisation of it (FP8, AWQ, GGUF)"
    assert too_long.remedy == f"{too_large.remedy} or a shorter context with --context"


def test_a_smaller_cache_opens_a_context_of_use_or_is_what_its_recipe_asks_for(tmp_path: Path) -> None:
    facts = next(model["facts"] for model in DATA["model"] if model["name"] == "Qwen/Qwen3-32B-AWQ")
    known = facts_from_table(facts)

    def chosen_for(model: str, memory_mib: int, context: int | None = None) -> Choice:
        path = tmp_path / "box.toml"
        path.write_text(INVENTORY.format(memory_mib=memory_mib, compute_capability="8.9"))
        return choose(Host(path, Catalog()), known, Wish(model=model, table={"repo": model}, context=context), {})

    tight, asked = chosen_for("org/new", 24564), chosen_for("org/new", 32607, 40960)
    recipe = chosen_for("zai-org/GLM-5.2", 49140)

    assert (tight.table["context_length"], tight.table["kv_cache_dtype"]) == (12288, "fp8")
    assert asked.table["kv_cache_dtype"] == "fp8"
    assert recipe.table["kv_cache_dtype"] == "fp8_e4m3"
    assert "its cache in fp8_e4m3, as its family has it" in recipe.notes
