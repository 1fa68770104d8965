"""vLLM's own planner, asked by `tools/capture_plans.py`: what it answered for generated models is computed exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from memory_cases import rules_for
from places import REPOSITORY

from anvil_gen.fit.block_cache import block_cache
from anvil_gen.fit.model_facts import Attention, Latent, Linear, ModelFacts, Mtp
from anvil_gen.fit.settings import Request, settings_of

FOLDER = REPOSITORY / "tests" / "unit" / "fit" / "plans"
PLANS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def computed(plan: dict[str, Any], version: str) -> tuple[int, float, bool]:
    """Return the blocks and requests that are computed for a model, and whether pages had to be padded."""
    rules = rules_for("vllm", version)
    facts = ModelFacts(
        architecture="",
        layers=plan["pattern"],
        attention=Attention(kv_heads=plan["kv_heads"], head_dim=plan["head_dim"]),
        sliding=Attention(kv_heads=plan["sliding_kv_heads"], head_dim=plan["head_dim"], window=plan["window"]),
        mla=Latent(rank=512, rope=64) if "M" in plan["pattern"] else None,
        linear=Linear(
            k_heads=16, v_heads=plan["v_heads"], k_dim=128, v_dim=128, kernel=4, state_bytes=plan["state_bytes"]
        ),
        mtp=Mtp(layers=1),
    )
    request = Request(
        context=plan["context"],
        max_batched_tokens=plan["batched"],
        kv_dtype="fp8" if plan["fp8"] else None,
        tensor_parallel=plan["tensor_parallel"],
        prefix_caching=plan["prefix_caching"],
        speculative_tokens=plan["speculative"],
    )
    cache = block_cache(facts, settings_of(request, facts, rules, 80), rules)
    return cache.blocks(plan["memory"]), cache.concurrency(plan["memory"], plan["context"]), cache.padded


def agrees(plan: dict[str, Any], version: str) -> bool:
    blocks, requests, _ = computed(plan, version)
    return (blocks, round(requests, 9)) == (plan["blocks"], round(plan["requests"], 9))


@pytest.mark.parametrize("version", PLANS)
def test_blocks_and_requests_are_those_of_the_planner(version: str) -> None:
    answers = [plan for plan in PLANS[version] if plan["blocks"] is not None]
    different = [plan for plan in answers if not agrees(plan, version)]

    assert different == []
    assert len(answers) >= 150


@pytest.mark.parametrize("version", PLANS)
def test_a_model_that_the_planner_refuses_is_doubted(version: str) -> None:
    refused = [plan for plan in PLANS[version] if plan["blocks"] is None]

    assert all(computed(plan, version)[2] for plan in refused)
