"""Random edits of lab-quad on a running engine: what the plan says of each is what Compose does to the containers."""

from __future__ import annotations

import random

import pytest
from effort import EFFORT
from random_edits import inventories

from e2e.box import Box
from e2e.cards import HOSTS
from e2e.test_ten_edits import adapted, lab_quad, lives, observed, planned, roll_out

TRIES = 6 if EFFORT == 1 else 30
ELSEWHERE = ("example.org/own", "pull_policy", "build =")
"""Edits that want an image from somewhere: nothing outside of the engine can be reached."""


@pytest.mark.parametrize("seed", [7] if EFFORT == 1 else [random.randrange(10**6)])
def test_random_edits(box: Box, seed: int) -> None:
    text = lab_quad(box)
    chosen = (one for one in inventories(text, HOSTS / "lab-quad.toml", random.Random(seed)))
    possible = (one for one in chosen if one != text and not any(word in one for word in ELSEWHERE))
    wrong, after = {}, lives(box)
    for number, edited in zip(range(TRIES), possible, strict=False):
        before = after
        box.write(adapted(box, edited))
        told = planned(box)
        roll_out(box)
        after = lives(box)
        seen = observed(before, after)
        if told != seen:
            wrong[number] = (told, seen)

    assert wrong == {}, f"seed {seed}"
