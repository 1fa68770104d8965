"""A YAML text as Compose reads it: values, the line of each key, and comments.

Scalars are resolved as Go's YAML reader does it, which differs from PyYAML's: `no` and `on` are texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location
from anvil_gen.patterns import lazy_pattern
from anvil_gen.render.yaml_loader import FASTEST
from anvil_gen.values import KeyPath

_INTEGER = lazy_pattern(r"[-+]?(?:[0-9][0-9_]*|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)")
_FLOAT = lazy_pattern(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_COMMENT = lazy_pattern(r"^[\s\]},:]*\s#\s?(?P<text>.*)$")
_MOST_NODES = 500_000


class Tagged(Struct, frozen=True):
    """A value under one of Compose's own tags: `!reset` or `!override`."""

    tag: str
    value: Any


class Document(Struct, frozen=True, kw_only=True):
    """The data of a text, where its keys are, and what is said about them."""

    data: Any
    lines: dict[KeyPath, int]
    comments: dict[KeyPath, list[str]]


def read_yaml(text: str, file: str) -> Document:
    """Return what a text says.

    Raises:
        DiagnosticError: it is no YAML, or has several documents; with its line.
    """
    try:
        node = FASTEST(text).get_single_node()
        reader = _Reader()
        data = reader.value(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _refused(file, error.problem or "it is no YAML", mark.line + 1 if mark is not None else None) from None
    except (yaml.YAMLError, ValueError) as error:
        raise _refused(file, str(error).splitlines()[0], getattr(error, "line", None)) from None
    except RecursionError:
        raise _refused(file, "it is nested too deeply", None) from None
    return Document(data=data, lines=reader.lines, comments=_comments(text, reader) if "#" in text else {})


def _refused(file: str, detail: str, line: int | None) -> DiagnosticError:
    location = Location(file=file, line=line)
    remedy = "docker compose config says more of it"
    return DiagnosticError([Diagnostic(code="no-compose-file", detail=detail, remedy=remedy, location=location)])


class _LineError(ValueError):
    def __init__(self, detail: str, line: int) -> None:
        super().__init__(detail)
        self.line = line


class _Reader:
    """Makes values of nodes; ``lines`` has the line of each key and item."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.ends: dict[int, int] = {}  # line -> where its last scalar ends
        self.inside: set[int] = set()  # lines of texts, in which a # is no comment
        self._seen = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._seen += 1
        if self._seen > _MOST_NODES:
            raise _LineError("its anchors make it endless", node.start_mark.line + 1)
        self.lines.setdefault(path, node.start_mark.line + 1)
        tag = node.tag if node.tag.startswith("!") else ""
        if isinstance(node, yaml.MappingNode):
            value: Any = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            value = [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.ScalarNode):
            value = self._scalar(node)
        return Tagged(tag, value) if tag in ("!reset", "!override") else value

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key == "<<" and key_node.style in (None, ""):
                merged += self._merged(value_node, path)
            elif key in found:
                raise _LineError(f'"{key}" is there twice', key_node.start_mark.line + 1)
            else:
                self.lines[(*path, key)] = key_node.start_mark.line + 1
                found[key] = self.value(value_node, (*path, key))
        for table in merged:
            found = {**found, **{key: value for key, value in table.items() if key not in found}}
        return found

    def _merged(self, node: yaml.Node, path: KeyPath) -> list[Any]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(one, yaml.MappingNode) for one in nodes):
            raise _LineError("<< merges mappings", node.start_mark.line + 1)
        return [self.value(one, path) for one in nodes]

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _LineError("a key is a text", node.start_mark.line + 1)
        self._note(node)
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        self._note(node)
        if node.style not in (None, "") or node.tag.startswith("!"):
            return node.value
        return _plain(node.value)

    def _note(self, node: yaml.ScalarNode) -> None:
        start, end = node.start_mark, node.end_mark
        self.inside.update(range(start.line + 1, end.line + (node.style in ("|", ">") and end.column > 0)))
        self.ends[end.line] = max(self.ends.get(end.line, 0), end.column)


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return _whole(text.replace("_", ""))
    return float(text.replace("_", "")) if _FLOAT.fullmatch(text) and text != "." else text


def _whole(text: str) -> int | str:
    digits = text.lstrip("+-")
    old_octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    try:
        return int(f"0o{digits}", 0) * (-1 if text[0] == "-" else 1) if old_octal else int(text, 0)
    except ValueError:
        return text


def _comments(text: str, reader: _Reader) -> dict[KeyPath, list[str]]:
    """Return comments by the keys above which they stand, or in whose line."""
    keys: dict[int, KeyPath] = {}
    for path, number in reader.lines.items():
        keys.setdefault(number, path)
    found: dict[KeyPath, list[str]] = {}
    waiting: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        said = list(_said(line, reader, number))
        if line.lstrip().startswith("#") and said:
            waiting += said
        elif line.strip():
            place = keys.get(number)
            if place is not None:
                found.setdefault(place, []).extend([*waiting, *said])
            waiting = [] if place is not None else [*waiting, *said]
    if waiting:
        found[()] = [*found.get((), []), *waiting]
    return {path: lines for path, lines in found.items() if lines}


def _said(line: str, reader: _Reader, number: int) -> Iterator[str]:
    if number - 1 in reader.inside:
        return
    if line.lstrip().startswith("#"):
        yield line.strip().lstrip("#").strip()
    elif "#" in line:
        match = _COMMENT.match(line[reader.ends.get(number - 1, 0) :])
        if match is not None:
            yield match["text"].strip()
