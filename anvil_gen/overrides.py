"""Overrides: Compose keys of the inventory that have the last word over a rendered service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from anvil_gen.model import Mount, Number, Ready
from anvil_gen.own_keys import merge
from anvil_gen.quoting import yaml_block

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML was built with it: ten times as fast."""


def overridden(text: str, service: str, override: Mapping[str, Any], volumes: Iterable[Mount]) -> str:
    """Return a compose file whose service has ``override`` merged into it: its header, and the rest laid out anew.

    ``volumes`` are the named volumes that the override mounts.
    """
    if not override:
        return text
    header = [line for line in text.split("\n\n", maxsplit=1)[0].split("\n") if line.startswith("#")]
    data = _ready(yaml.load(text, YAML_LOADER))  # noqa: S506  a safe loader, in either form
    data["services"][service] = merge(data["services"][service], override)
    declared: dict[str, Any] = {mount.source: {} for mount in volumes}
    if declared:
        data["volumes"] = {**declared, **data.get("volumes", {})}
    sections = [yaml_block({key: value}, 0) for key, value in data.items()]
    return "\n".join([*header, sections[0], *(f"\n{section}" for section in sections[1:]), ""])


def _ready(value: Any) -> Any:
    """Mark the texts of a parsed compose file as what they are: already as Compose reads them."""
    if isinstance(value, str):
        return Ready(value)
    if isinstance(value, float):
        return Number(repr(value))
    if isinstance(value, dict):
        return {key: _ready(item) for key, item in value.items()}
    return [_ready(item) for item in value] if isinstance(value, list) else value
