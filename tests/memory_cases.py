"""Measured starts, as `unit/fit/memory_cases.toml` has them, beside what is computed for them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine_memory import EngineMemory, engine_memory
from anvil_gen.fit.block_cache import block_cache
from anvil_gen.fit.estimate import Case, Estimate
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.pool_cache import pool_cache
from anvil_gen.fit.settings import GIB, Request, settings_of
from anvil_gen.fit.slot_cache import SlotCache

FILE = Path(__file__).parent / "unit" / "fit" / "memory_cases.toml"
MIB = 1 << 20


class MeasuredCase(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A start, and what its log reported."""

    name: str
    engine: str
    version: str
    facts: ModelFacts
    request: Request
    gpu_mib: int
    weights_gib: float | None = None
    kv_gib: float | None = None
    tokens: int | None = None
    need_gib: float | None = None
    refused: bool = False
    draft: ModelFacts | None = None
    one_of_several: bool = False  # the memory is of one GPU, and a GPU that has less decides the tokens
    note: str = ""


@cache
def cases() -> tuple[MeasuredCase, ...]:
    """Return all cases."""
    return msgspec.convert(tuple(tomllib.loads(FILE.read_text("utf-8"))["case"]), tuple[MeasuredCase, ...])


@cache
def rules_for(engine: str, version: str | None = None) -> EngineMemory:
    """Return the rules of an engine's version."""
    rules = engine_memory(Catalog(), engine)
    assert rules is not None
    return rules.of_version(version)


def computed(case: MeasuredCase, *, kv_is_given: bool = True) -> Estimate:
    """Return what is computed for a case, with the cache's memory as it was or as it is computed."""
    given = round(case.kv_gib * GIB) if case.kv_gib is not None and kv_is_given else None
    rules = rules_for(case.engine, case.version)
    return estimate(
        Case(
            facts=case.facts,
            request=case.request,
            rules=rules,
            memory=case.gpu_mib * MIB,
            kv=given,
            draft=case.draft,
        )
    )


def need(case: MeasuredCase) -> float:
    """Return the GiB of cache that a request of the whole context takes."""
    rules = rules_for(case.engine, case.version)
    settings = settings_of(case.request, case.facts, rules, case.gpu_mib / 1024)
    kinds: dict[str, Any] = {"blocks": block_cache, "pool": pool_cache}
    made = kinds[rules.cache](case.facts, settings, rules) if rules.cache in kinds else None
    layout = made or SlotCache(facts=case.facts, settings=settings, rules=rules)
    return float(layout.need(settings.context)) / GIB


def measures(case: MeasuredCase) -> Iterator[tuple[str, float, float]]:
    """Yield what of a case was measured, that number, and the one that is computed."""
    if case.tokens is not None:
        tokens = computed(case).tokens
        assert tokens is not None
        yield "tokens", case.tokens, tokens.low
    if case.need_gib is not None:
        yield "GiB of cache", case.need_gib, need(case)
    if case.weights_gib is not None:
        yield "GiB of weights", case.weights_gib, (computed(case).weights.expected or 0) / GIB


def table() -> list[str]:
    """Return the rows of the table in docs/memory.md."""
    titles = {"vllm": "vLLM", "sglang": "SGLang", "llamacpp": "llama.cpp"}
    rows = ["| engine | model | what | measured | computed | error |", "| --- | --- | --- | --- | --- | --- |"]
    for case in cases():
        for what, measured, found in measures(case):
            shown = [f"{number:,.0f}" if what == "tokens" else f"{number:.3f}" for number in (measured, found)]
            error = f"{100 * (found / measured - 1):+.2f}%"
            rows.append(
                f"| {titles[case.engine]} {case.version} | {case.name} | {what} | {shown[0]} | {shown[1]} | {error} |"
            )
    return rows
