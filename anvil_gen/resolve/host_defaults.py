"""The defaults of `[host]`, which say of every host where its project is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anvil_gen.inventory.fleet import fleet_root, stem_of
from anvil_gen.values import fill, fill_placeholders


def host_defaults(path: Path, table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of an inventory's `[host]`, with their placeholders filled."""
    stem = stem_of(path)
    name = table.get("name", fill(defaults["name"], {"file": stem}))
    return fill_placeholders(defaults, {"file": stem, "host": name, "deploy": str(fleet_root(path) / "deploy")})
