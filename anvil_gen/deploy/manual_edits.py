"""What a person changed in a rendered compose file: whether the inventory says the same, and what would be lost."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import Any

from anvil_gen.text.flags import parse_flags


def same_data(before: Any, after: Any, *, any_order: bool = False) -> bool:
    """Tell whether two parsed files hold the same, with the same types; ``any_order``: flags may have moved."""
    try:
        one, other = (_without_order(data) if any_order else data for data in (before, after))
        return bool(_frozen(one) == _frozen(other))
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


def _without_order(data: Any) -> Any:
    """Return a compose file with the flags of each command sorted; what is no flag stays in its order."""
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict):
        return data
    return {**data, "services": {name: _sorted_flags(service) for name, service in services.items()}}


def _sorted_flags(service: Any) -> Any:
    command = service.get("command") if isinstance(service, dict) else None
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return service
    # A word without a flag, or the words of one; the empty flag sorts first, and sorting keeps its order.
    return {**service, "command": sorted(([flag, *values] for flag, values in parse_flags(command)), key=itemgetter(0))}


def _frozen(value: Any) -> Any:
    """Return a value that is equal to another only where the types of both are equal too."""
    if isinstance(value, dict):
        return frozenset((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return type(value), repr(value)
