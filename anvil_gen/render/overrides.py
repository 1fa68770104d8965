"""Overrides: Compose keys of the inventory that have the last word over a rendered service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.quoting import yaml_block
from anvil_gen.render.yaml_loader import FASTEST, load_yaml
from anvil_gen.resolve.compose_keys import merge
from anvil_gen.resolve.model import Declared
from anvil_gen.values import ComposeText, Number, address


class _Entry(Struct, frozen=True, kw_only=True):
    """A key of a mapping in block style: its value as parsed, and the lines of both."""

    start: int
    end: int  # the line after the last one
    column: int
    node: yaml.Node
    value: Any


def overridden(text: str, path: str, service: str, override: Mapping[str, Any], declared: Declared) -> str:
    """Return a compose file whose service has ``override`` merged into it; lines that it does not name stay.

    ``declared`` are the volumes and networks that the override needs.

    Raises:
        InternalError: the file does not parse, or has no such service.
    """
    if not override:
        return text
    data = _ready(load_yaml(text, path))
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict) or not isinstance(services.get(service), dict):
        raise InternalError(f"{path} does not match the inventory at {address(('services', service))}")
    above: dict[str, Any] = {"services": {service: override}}
    for section, needed in (("volumes", declared.volumes), ("networks", declared.networks)):
        missing = {name: keys for name, keys in needed.items() if name not in (data.get(section) or {})}
        above |= {section: missing} if missing else {}
    root: Any = yaml.compose(text, FASTEST)
    lines = text.removesuffix("\n").split("\n")
    if not _is_block(root) or _has_aliases(text):
        start = next(at for at, line in enumerate(lines) if not line.startswith("#"))
        return "\n".join([*lines[:start], yaml_block(merge(data, above), 0), ""])
    # From the end on, so that the lines of what is still to be done stay where they are.
    for start, end, new in sorted(_edits(root, data, above), key=_place, reverse=True):
        lines[start:end] = new
    return "\n".join(lines) + "\n"


def _place(edit: tuple[int, int, list[str]]) -> tuple[int, int]:
    return edit[:2]


def _edits(node: yaml.Node, data: Mapping[str, Any], above: Mapping[str, Any]) -> Iterator[tuple[int, int, list[str]]]:
    """Yield what to put in place of which lines, for ``above`` to be merged into a mapping in block style."""
    entries = _entries(node, data)
    column = next(entry.column for entry in entries.values())
    end = max(entry.end for entry in entries.values())
    added: dict[str, Any] = {}
    for key, value in above.items():
        entry = entries.get(key)
        if entry is None:
            added[key] = value
        elif isinstance(value, Mapping) and isinstance(entry.value, Mapping) and _is_block(entry.node):
            yield from _edits(entry.node, entry.value, value)
        else:
            yield entry.start, entry.end, _laid_out(key, merge(entry.value, value), column)
    if added:
        space = [""] if column == 0 else []  # between the sections of the file
        yield end, end, [line for key, value in added.items() for line in (*space, *_laid_out(key, value, column))]


def _laid_out(key: str, value: Any, column: int) -> list[str]:
    return yaml_block({key: value}, column).split("\n")


def _is_block(node: yaml.Node) -> bool:
    """Tell whether each key of a mapping is on lines of its own."""
    return isinstance(node, yaml.MappingNode) and not node.flow_style and bool(node.value)


def _has_aliases(text: str) -> bool:
    """Tell whether a file has aliases: then a line may belong to several keys."""
    return "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, FASTEST))


def _entries(node: yaml.Node, data: Mapping[str, Any]) -> dict[str, _Entry]:
    """Return the entries of a mapping in block style by key."""
    found = {}
    if len(node.value) != len(data):  # such as by `<<`, which puts other keys in its place
        raise InternalError("an override cannot be merged into a mapping that merges others")
    for (key, value), (name, parsed) in zip(node.value, data.items(), strict=True):
        start = key.start_mark.line
        end = _end(value)
        found[name] = _Entry(start=start, end=end, column=key.start_mark.column, node=value, value=parsed)
    return found


def _end(node: yaml.Node) -> int:
    """Return the line after a value's last; the parser counts comments to a mapping or list that they follow."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line) + (1 if node.end_mark.column else 0)


def _ready(value: Any) -> Any:
    """Mark the texts of a parsed compose file as what they are: already as Compose reads them."""
    if isinstance(value, str):
        return ComposeText(value)
    if isinstance(value, float):
        return Number(repr(value))
    if isinstance(value, dict):
        return {key: _ready(item) for key, item in value.items()}
    return [_ready(item) for item in value] if isinstance(value, list) else value
