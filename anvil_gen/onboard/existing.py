"""What serves models in a folder already: a compose file that is none of ours."""

from __future__ import annotations

from pathlib import Path

from anvil_gen.text_files import read_text

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


def compose_file_in(folder: Path) -> Path | None:
    """Return the compose file that Compose would read in a folder, unless it is a rendered one."""
    for name in _NAMES:
        try:
            text = read_text(folder / name)
        except OSError:
            continue
        return None if "anvil-gen" in text.partition("\n")[0] else folder / name
    return None
