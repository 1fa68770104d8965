"""Overrides: Compose keys of the inventory that have the last word over a rendered service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from anvil_gen.diagnostics import InternalError
from anvil_gen.inventory.env_references import DECLARED
from anvil_gen.render.quoting import yaml_block
from anvil_gen.render.yaml_loader import FASTEST, FastestNodes, load_yaml
from anvil_gen.resolve.model import Declared
from anvil_gen.resolve.override_merge import merge
from anvil_gen.values import ComposeText, Number, address

_Edit = tuple[int, int, list[str]]
"""The first line of a range, the line after its last, and the lines in its place."""


def overridden(text: str, path: str, service: str, override: Mapping[str, Any], declared: Declared) -> str:
    """Return a compose file whose service has ``override`` merged into it; lines that it does not name stay.

    ``declared`` is what the override needs at the top level.

    Raises:
        InternalError: the file does not parse, or has no such service.
    """
    if not override:
        return text
    sections = {name: needed for name in DECLARED if (needed := getattr(declared, name))}
    extended = None if sections else _extended(text, service, override)
    if extended is not None:
        return extended
    data = _ready(load_yaml(text, path))
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict) or not isinstance(services.get(service), dict):
        raise InternalError(f"{path} does not match the inventory at {address(('services', service))}")
    merged = {**data, "services": {**services, service: merge(services[service], override)}}
    for section, needed in sections.items():
        merged[section] = {**needed, **(data.get(section) or {})}
    return _rewritten(text, data, merged)


def _extended(text: str, service: str, override: Mapping[str, Any]) -> str | None:
    """Return a file whose service has further keys, as most overrides want it; None where there is more to do."""
    try:
        node = _entry(_entry(yaml.compose(text, FastestNodes), "services"), service)
    except (yaml.YAMLError, ValueError, RecursionError):  # reported by who wants to know more of it
        return None
    names = {key.value for key, _ in node.value} if node is not None and _is_block(node, yaml.MappingNode) else {"<<"}
    if node is None or "<<" in names or names & override.keys() or _has_aliases(text):
        return None
    lines = text.removesuffix("\n").split("\n")
    added = merge({}, override)
    lines[_end(node) : _end(node)] = _laid_out(added, node.start_mark.column) if added else []
    return "\n".join(lines) + "\n"


def _entry(node: Any, name: str) -> Any:
    """Return the value of a key of a mapping in block style; None where there is none."""
    found = node.value if node is not None and _is_block(node, yaml.MappingNode) else ()
    return next((value for key, value in found if key.value == name), None)


def _rewritten(text: str, data: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return the text of ``data`` as that of ``wanted``: only the lines of what differs are others."""
    lines = text.removesuffix("\n").split("\n")
    root: Any = yaml.compose(text, FastestNodes)
    if not _is_block(root, yaml.MappingNode) or _has_aliases(text):
        start = next(at for at, line in enumerate(lines) if not line.startswith("#"))
        return "\n".join([*lines[:start], yaml_block(wanted, 0), ""])
    edits = sorted(_mapping_edits(root, data, wanted, lines), key=lambda edit: edit[0])
    # From the end on, so that the lines of what is still to be done stay where they are. Of two additions at one line,
    # the first is to stand above the other: that of the inner mapping.
    for start, end, new in reversed(edits):
        lines[start:end] = new
    return "\n".join(lines) + "\n"


def _mapping_edits(
    node: yaml.Node, data: Mapping[str, Any], wanted: Mapping[str, Any], lines: list[str]
) -> Iterator[_Edit]:
    """Yield the edits after which a mapping in block style is another one, which keeps at least one of its keys."""
    if len(node.value) != len(data):  # such as by `<<`, which puts other keys in its place
        raise InternalError("an override cannot be merged into a mapping that merges others")
    column = node.start_mark.column
    for (key, value), (name, parsed) in zip(node.value, data.items(), strict=True):
        start, end = key.start_mark.line, _end(value)
        if name not in wanted:
            yield start, end, []
        elif not _is_same(parsed, wanted[name]):
            inner = _inner_edits(value, parsed, wanted[name], lines) if value.start_mark.line > start else None
            yield from inner if inner is not None else [(start, end, _laid_out({name: wanted[name]}, column))]
    end = _end(node)
    for name, value in wanted.items():
        if name not in data:
            # A line between the sections of the file.
            yield end, end, [*([""] if column == 0 else []), *_laid_out({name: value}, column)]


def _inner_edits(node: yaml.Node, data: Any, wanted: Any, lines: list[str]) -> Iterator[_Edit] | None:
    """Return the edits inside of a value; None where it is to be written anew as a whole."""
    if isinstance(wanted, Mapping) and _is_block(node, yaml.MappingNode) and wanted.keys() & data.keys():
        return _mapping_edits(node, data, wanted, lines)
    if isinstance(wanted, list) and _is_block(node, yaml.SequenceNode) and len(wanted) >= len(data):
        starts, column = [item.start_mark.line for item in node.value], node.start_mark.column
        if len({*starts}) == len(starts) and all(lines[start][column : column + 1] == "-" for start in starts):
            return _list_edits(node, data, wanted)
    return None


def _list_edits(node: yaml.Node, data: list[Any], wanted: list[Any]) -> Iterator[_Edit]:
    """Yield the edits after which a list in block style is another one that is no shorter."""
    column = node.start_mark.column
    for item, old, new in zip(node.value, data, wanted, strict=False):
        if not _is_same(old, new):
            yield item.start_mark.line, _end(item), _laid_out([new], column)
    if len(wanted) > len(data):
        yield _end(node), _end(node), _laid_out(wanted[len(data) :], column)


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are rendered the same: `1` is neither `1.0` nor `true`."""
    if one is other:  # as most are: an override names few
        return True
    if isinstance(one, dict) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return type(one) is type(other) and str(one) == str(other)


def _laid_out(value: Any, column: int) -> list[str]:
    return yaml_block(value, column).split("\n")


def _is_block(node: yaml.Node, kind: type[yaml.CollectionNode]) -> bool:
    """Tell whether each entry of a mapping or list is on lines of its own."""
    return isinstance(node, kind) and not node.flow_style and bool(node.value)


def _has_aliases(text: str) -> bool:
    """Tell whether a file has aliases: then a line may belong to several keys."""
    return "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, FASTEST))


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
