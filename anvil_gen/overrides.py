"""Overrides: Compose keys of the inventory that have the last word over a rendered service."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import yaml

from anvil_gen.diagnostics import InternalError
from anvil_gen.model import Mount, Number, Ready
from anvil_gen.own_keys import merge
from anvil_gen.quoting import yaml_block

_FASTEST: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast


class _Loader(_FASTEST):  # type: ignore[misc, valid-type]
    """A safe loader that refuses a key that stands twice, as Compose does; PyYAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        pairs = node.value  # without the merged ones, which are put into another list
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        if len(mapping) != len(pairs) or node.value is not pairs:
            seen = set()
            for key_node, _ in pairs:
                key = self.construct_object(key_node, deep=True)
                if key in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
                seen.add(key)
        return mapping


def load_yaml(text: str, path: str) -> Any:
    """Return the data of a rendered compose file.

    Raises:
        InternalError: it is no YAML, or not what Compose takes.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a safe loader, in either form
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as a date that is none
        raise InternalError(f"{path} does not parse: {error}") from None


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
