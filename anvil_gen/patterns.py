"""Regular expressions that cost nothing until they are used."""

from __future__ import annotations

import re
from typing import Any, cast


class _LazyPattern:
    """A regular expression that is compiled when the first of its methods is asked for."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self.pattern, self.flags), name)
        setattr(self, name, found)  # from now on it is found without this detour
        return found


def lazy_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return a regular expression for a module to keep.

    Compiling takes longer than the rest of most imports, and few runs meet what most expressions are for.
    """
    return cast("re.Pattern[str]", _LazyPattern(pattern, flags))
