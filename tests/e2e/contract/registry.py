"""The checks of the contract by the capability that each is of, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from e2e.contract.door import Door

CHECKS: dict[str, Callable[[Door], None]] = {}
VARIANTS: dict[str, Callable[[Door], None]] = {}
MIB = 1 << 20
TIMED_OUT = (408, 500, 503, 504)


def check(function: Callable[[Door], None]) -> Callable[[Door], None]:
    """Register the check of the capability that has the function's name."""
    CHECKS[function.__name__] = function
    return function


def variant(function: Callable[[Door], None]) -> Callable[[Door], None]:
    """Register a check that leaves the router with other wishes: it comes after all others."""
    VARIANTS[function.__name__] = function
    return function


def last(door: Door, tier: str) -> Any:
    """Return the last request that a tier was sent."""
    seen = door.seen(tier)
    assert seen, f"{tier} was sent nothing"
    return seen[-1]
