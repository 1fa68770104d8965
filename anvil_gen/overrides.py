"""Overrides: Compose keys of the inventory that have the last word over a rendered service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from anvil_gen.diagnostics import InternalError
from anvil_gen.model import Mount, Number, Ready
from anvil_gen.own_keys import merge
from anvil_gen.quoting import yaml_block
from anvil_gen.yaml_data import load_yaml


def overridden(text: str, path: str, service: str, override: Mapping[str, Any], volumes: Iterable[Mount]) -> str:
    """Return a compose file whose service has ``override`` merged into it: its header, and the rest laid out anew.

    ``volumes`` are the named volumes that the override mounts.

    Raises:
        InternalError: the file does not parse, or has no such service.
    """
    if not override:
        return text
    header = [line for line in text.split("\n\n", maxsplit=1)[0].split("\n") if line.startswith("#")]
    data = _ready(load_yaml(text, path))
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict) or not isinstance(services.get(service), dict):
        raise InternalError(f"{path} does not say what the model says, at services.{service}")
    services[service] = merge(services[service], override)
    declared: dict[str, Any] = {mount.source: {} for mount in volumes}
    if declared:
        data["volumes"] = {**declared, **(data.get("volumes") or {})}
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
