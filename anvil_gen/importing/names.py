"""Names that nothing else has."""

from __future__ import annotations

from collections.abc import Container
from itertools import count


def free_name(name: str, taken: Container[str], longest: int = 63) -> str:
    """Return a name, with a number behind it where it is taken."""
    if name not in taken:
        return name
    return next(one for number in count(2) if (one := f"{name[: longest - 6]}-{number}") not in taken)
