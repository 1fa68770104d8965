"""What is printed, with all that would control a terminal made visible: whatever a text of somebody else's holds."""

from __future__ import annotations

import io
import re
import sys

from anvil_gen.patterns import lazy_pattern

# The colours of our own, and how progress is drawn again. All else of these ranges moves, hides, renames or clears.
_CONTROL = lazy_pattern(
    r"(?P<own>\x1b\[(?:(?:[0-2]|3[0-7])m|\d{1,4}F|J))|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class VisibleOutput(io.TextIOWrapper):
    """A text stream that escapes what a terminal would obey."""

    def write(self, text: str, /) -> int:
        """Write a text."""
        return super().write(_CONTROL.sub(_shown, text))


def _shown(found: re.Match[str]) -> str:
    return found["own"] or ascii(found[0])[1:-1]


def make_output_visible() -> None:
    """Let both streams escape; what their encoding does not have is escaped too."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            buffering, encoding = stream.line_buffering, stream.encoding
            shown = VisibleOutput(
                stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=buffering
            )
            setattr(sys, name, shown)
