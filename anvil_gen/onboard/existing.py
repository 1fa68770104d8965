"""What serves models in a folder already: a compose file that is none of ours."""

from __future__ import annotations

from pathlib import Path

from anvil_gen.deploy.rendered_file import is_rendered

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


def compose_file_in(folder: Path) -> Path | None:
    """Return the compose file that Compose would read in a folder, unless it is a rendered one."""
    found = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    return None if found is None or is_rendered(found) else found
