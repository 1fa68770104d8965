"""Measured starts: what is computed for them, and that the page tells the error of each."""

from __future__ import annotations

import pytest
from memory_cases import MeasuredCase, cases, computed, measures, table
from places import REPOSITORY

from anvil_gen.fit.settings import GIB


@pytest.mark.parametrize("case", [case for case in cases() if not case.one_of_several], ids=lambda case: case.name)
def test_tokens_and_cache_are_those_that_were_measured(case: MeasuredCase) -> None:
    exact = [(measured, found) for what, measured, found in measures(case) if what != "GiB of weights"]

    assert all(abs(found / measured - 1) <= 0.002 for measured, found in exact)


@pytest.mark.parametrize("case", [case for case in cases() if case.one_of_several], ids=lambda case: case.name)
def test_a_gpu_that_has_less_decides_the_tokens(case: MeasuredCase) -> None:
    ((_, measured, found),) = measures(case)

    assert 0.985 * found <= measured <= found


@pytest.mark.parametrize("case", [case for case in cases() if case.weights_gib is not None], ids=lambda case: case.name)
def test_weights_are_in_their_interval(case: MeasuredCase) -> None:
    weights = computed(case).weights

    assert case.weights_gib is not None
    assert weights.low / GIB - 0.05 <= case.weights_gib <= weights.high / GIB + 0.05


@pytest.mark.parametrize(
    "case",
    [case for case in cases() if case.weights_gib is not None and case.kv_gib is not None],
    ids=lambda case: case.name,
)
def test_what_was_left_for_the_cache_is_in_its_interval(case: MeasuredCase) -> None:
    kv = computed(case, kv_is_given=False).kv

    assert case.kv_gib is not None
    assert kv.low / GIB <= case.kv_gib <= kv.high / GIB


@pytest.mark.parametrize("case", [case for case in cases() if case.refused], ids=lambda case: case.name)
def test_a_start_that_was_refused_does_not_fit(case: MeasuredCase) -> None:
    assert computed(case).verdict == "does not fit"


def test_the_page_tells_the_error_of_each_case() -> None:
    page = (REPOSITORY / "docs" / "memory.md").read_text("utf-8")
    rows = "\n".join(table())

    assert rows in page, f"docs/memory.md has to say:\n{rows}"
