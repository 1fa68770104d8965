"""The names of a tree's root files: one for each mode."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

ROOT_FILE = "docker-compose.yml"
"""The default mode's root file, which Compose finds by itself."""
DEFAULT_MODE = "default"
"""How a person names the default mode."""


def root_file_of(mode: str | None) -> str:
    """Return the root file of a mode; of the default one for none."""
    return ROOT_FILE if mode in (None, "", DEFAULT_MODE) else f"docker-compose.{mode}.yml"


def included(root: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the files that a root file includes, each with the folder that its relative paths are from.

    What somebody's edit has made of an entry that no root file has is passed over.
    """
    entries = root.get("include")
    for entry in entries if isinstance(entries, list) else ():
        table = entry if isinstance(entry, Mapping) else {"path": entry}
        path = table.get("path")
        if isinstance(path, str):
            yield path, str(table.get("project_directory") or posixpath.dirname(path))
