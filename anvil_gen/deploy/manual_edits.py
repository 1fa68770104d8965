"""What a person changed in a rendered compose file: whether the inventory says the same, and what would be lost."""

from __future__ import annotations

from collections import Counter
from typing import Any


def same_data(before: Any, after: Any) -> bool:
    """Tell whether two parsed files hold the same, with the same types."""
    try:
        return bool(_frozen(before) == _frozen(after))
    except RecursionError:  # an alias of YAML may hold itself
        return False


def lost_lines(before: str, after: str) -> list[str]:
    """Return the lines with a `#` that a person's file has and another has not: what they say is lost with them."""
    kept = Counter(line.strip() for line in after.split("\n"))
    lost = []
    for line in (line.strip() for line in before.split("\n")):
        kept[line] -= 1
        if "#" in line and kept[line] < 0:
            lost.append(line)
    return lost


def _frozen(value: Any) -> Any:
    """Return a value that is equal to another only where the types of both are equal too."""
    if isinstance(value, dict):
        return frozenset((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return type(value), repr(value)
