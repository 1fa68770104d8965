"""Patience with a busy machine: what becomes true is waited for, and what takes time is measured more than once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SECONDS = 120
"""Many times what anything takes on a quiet machine, and less than what hangs takes."""


def until(look: Callable[[], T], is_right: Callable[[T], object] = bool, *, seconds: float = SECONDS) -> T:
    """Look again and again until what is seen is right, and return that.

    Raises:
        AssertionError: it is not, in time; the text has what was seen last.

    """
    deadline = time.monotonic() + seconds
    while not is_right(seen := look()):
        assert time.monotonic() < deadline, f"after {seconds} s still: {seen!r}"
        time.sleep(0.1)
    return seen


def least(measure: Callable[[], float], enough: float, *, tries: int = 3) -> float:
    """Measure until it is below what is enough, a few times at most, and return the least.

    A busy machine can only add to it; what is too slow by itself is so each time.
    """
    found = measure()
    for _ in range(tries - 1):
        if found < enough:
            break
        found = min(found, measure())
    return found
