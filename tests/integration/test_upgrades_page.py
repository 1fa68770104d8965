"""The page of upgrades: a step for each minor release of vLLM, with what it renders otherwise and what it refuses."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from places import REPOSITORY

ROWS = {
    cells[0].strip(): (cells[1], cells[2])
    for line in (REPOSITORY / "docs" / "upgrades.md").read_text("utf-8").splitlines()
    if (cells := line.strip("|").split("|")) and "→" in cells[0]
}


def test_it_has_more_than_twenty_upgrades_each_from_where_the_last_one_ended() -> None:
    steps = [step.split(" → ") for step in ROWS]

    assert len(steps) > 20
    assert (steps[0][0], steps[-1][1]) == ("0.9.2", "0.33.0")
    assert all(before[1] == after[0] for before, after in pairwise(steps))


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("0.17.1 → 0.18.1", ["+ `--shutdown-timeout=50`"]),
        (
            "0.20.2 → 0.21.0",
            ["- `--served-model-name qwen3-30b default` (chat)", "+ `VLLM_SKIP_MODEL_NAME_VALIDATION=1`"],
        ),
    ],
)
def test_what_is_rendered_otherwise_is_where_the_version_wants_it(step: str, words: list[str]) -> None:
    assert [word for word in words if word not in ROWS[step][0]] == []
    others = [text for name, (text, _) in ROWS.items() if name != step]
    assert [text for text in others if any(word in text for word in words)] == []


def test_each_flag_that_went_is_refused_once_at_its_step() -> None:
    refused = [
        (step, flag)
        for step, (_, told) in ROWS.items()
        for flag in re.findall(r"error: vLLM \S+ has no `--(.*?)`", told)
    ]

    assert ("0.12.0 → 0.13.0", "task") in refused
    assert ("0.17.1 → 0.18.1", "swap-space") in refused
    flags = [flag for _, flag in refused]
    assert len(flags) == len({*flags}) == 11
