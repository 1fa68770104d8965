"""The names of a tree's root files: one for each mode."""

from __future__ import annotations

ROOT_FILE = "docker-compose.yml"
"""The default mode's root file, which Compose finds by itself."""
DEFAULT_MODE = "default"
"""How a person names the default mode."""


def root_file_of(mode: str | None) -> str:
    """Return the root file of a mode; of the default one for none."""
    return ROOT_FILE if mode in (None, "", DEFAULT_MODE) else f"docker-compose.{mode}.yml"
