"""The values of a rendered tree, each with its address, and those in which two trees differ.

Of a file without a parser of its own, such as HAProxy's configuration, each line is a value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import yaml

from anvil_gen.inventory.toml_file import Document
from anvil_gen.patterns import lazy_pattern
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.render.yaml_loader import FASTEST
from anvil_gen.resolve.model import Tree
from anvil_gen.values import KeyPath, address

Place = tuple[str, KeyPath]
"""A file of the tree, and the way to a value in it; of a text, the index of its line."""

_NOTHING = object()
_SERVICES = ("services",)
_PART = lazy_pattern(r'\.?(?:(?P<bare>[\w-]+)|(?P<quoted>"(?:[^"\\]|\\.)*"))|\[(?P<index>\d+)\]')


def content(tree: Tree, path: str) -> Any:
    """Return what a file holds: its data, or else its lines."""
    data = tree.data.get(path, tree.files[path])
    return data.rstrip("\n").split("\n") if isinstance(data, str) else data


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value that has none below it."""
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def differing(before: Tree, after: Tree) -> set[Place]:
    """Return the values of a tree that another one does not have at the same place."""
    return {
        (path, keys)
        for path in before.files
        if after.files.get(path) != before.files[path]
        for keys in _differing(content(before, path), content(after, path) if path in after.files else _NOTHING, ())
    }


def _differing(one: Any, other: Any, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(one, dict) and isinstance(other, dict) and one:
        for key, value in one.items():
            # A service by another name is the same service: what it holds has not changed.
            if path == _SERVICES and key not in other:
                continue
            yield from _differing(value, other.get(key, _NOTHING), (*path, key))
    elif isinstance(one, list) and isinstance(other, list) and one:
        for at, pair in _pairs(one, other):
            yield from _differing(one[at], pair, (*path, at))
    elif other is _NOTHING or _text(one) != _text(other):
        yield from (keys for keys, _ in leaves(one, path))


def _pairs(one: list[Any], other: list[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the items that are not in another list, each with what is there in its place."""
    matcher = SequenceMatcher(None, [_text(item) for item in one], [_text(item) for item in other], autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        if kind in ("replace", "delete"):
            for at in range(start, end):
                there = other_start + at - start
                yield at, other[there] if there < other_end else _NOTHING


def _text(value: Any) -> str:
    return json.dumps(value, default=str)


def place_text(place: Place, tree: Tree) -> str:
    """Return how a person names a place: ``tiers/fast.yml:services.fast.command[3]``."""
    path, keys = place
    is_line = isinstance(tree.data.get(path, ""), str)
    return f"{path}:{int(keys[0]) + 1 if is_line else address(keys)}"


def parse_address(text: str) -> KeyPath | None:
    """Return the keys of an address; None of a text that is none."""
    keys: list[str | int] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            return None
        index, bare = match["index"], match["bare"]
        keys.append(int(index) if index else bare or json.loads(match["quoted"]))
        at = match.end()
    return tuple(keys)


def line_of(text: str, path: str, keys: KeyPath) -> int:
    """Return the line of a value in the text of a rendered file."""
    syntax = syntax_of(path)
    if syntax == "toml":
        return Document(Path(path), text=text).location(keys).line or 1
    if syntax not in ("yaml", "data", "json"):
        return int(keys[0]) + 1
    node: Any = yaml.compose(text, FASTEST)
    for key in keys:
        if isinstance(node, yaml.SequenceNode):
            node = node.value[int(key)]
        else:
            node = next(value for name, value in node.value if name.value == str(key))
    return int(node.start_mark.line) + 1
