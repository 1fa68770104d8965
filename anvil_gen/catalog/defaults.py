"""Where the shipped templates are, and the defaults of all options: the one data file that a fleet cannot override."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from anvil_gen.inventory.toml_file import Document

DEFAULTS = "defaults.toml"
"""The data file of what no engine or router says better."""


@cache
def shipped_templates() -> Path:
    """Return the templates of this installation: inside the wheel, or next to the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / DEFAULTS).is_file():
            return folder
    raise FileNotFoundError(f"no templates next to {package}: the installation is not complete")


@cache
def shipped_defaults() -> Document:
    """Return the defaults as they are read, which a process does once."""
    return Document(shipped_templates() / DEFAULTS, display=f"templates/{DEFAULTS}")


def by_section(data: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return section -> option -> default; None for an option that has none."""
    return {
        section: {**dict.fromkeys(table.get("unset", ())), **{k: v for k, v in table.items() if k != "unset"}}
        for section, table in data.items()
    }
