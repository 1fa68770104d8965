"""Whether a compose file is a rendered one, by the comment that it begins with."""

from __future__ import annotations

from pathlib import Path

from anvil_gen.text_files import read_text


def is_rendered(file: Path) -> bool:
    """Tell whether a file says that anvil-gen made it; not if it cannot be read."""
    try:
        return "anvil-gen" in read_text(file).partition("\n")[0]
    except OSError:
        return False
