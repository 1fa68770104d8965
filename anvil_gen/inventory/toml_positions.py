"""The places of the keys and values of a TOML text: imported only when there is an error to show."""

from __future__ import annotations

from typing import Any

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from anvil_gen.values import KeyPath

_KEYS = ("bare_key", "quoted_key", "dotted_key")
_Span = tuple[int, int, int]  # line and column from 1, length, in characters


class Positions:
    """An index from key path to the spans of its key and its value."""

    def __init__(self, text: str) -> None:
        self._source = text.encode("utf-8", "surrogatepass")
        self._keys: dict[KeyPath, Node] = {}
        self._values: dict[KeyPath, Node] = {}
        self._array_sizes: dict[KeyPath, int] = {}
        self._headed: set[KeyPath] = set()
        # Tables by the first parts of their headings: what is in one is read when it is asked for.
        self._unread: dict[KeyPath, list[tuple[Node, KeyPath]]] = {}
        self._root = Parser(Language(tree_sitter_toml.language())).parse(self._source).root_node
        for node in self._root.children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                self._table(node)

    def find(self, path: KeyPath, *, key: bool = False) -> _Span:
        """Return the span of ``path``'s value, or of its key; of its nearest known parent where it has none."""
        self._read(path)
        first, second = (self._keys, self._values) if key else (self._values, self._keys)
        for size in range(len(path), 0, -1):
            node = first.get(path[:size]) or second.get(path[:size])
            if node is not None:
                return self._span(node)
        return 1, 1, 1

    def key_range(self, path: KeyPath) -> tuple[int, int] | None:
        """Return where the last part of a key stands, as indices of characters; None where there is no such key."""
        self._read(path)
        node = self._keys.get(path)
        if node is None:
            return None
        start, end = (len(self._source[:at].decode("utf-8", "replace")) for at in (node.start_byte, node.end_byte))
        return start, end

    def end_of_sections(self, first: str) -> int | None:
        """Return where the last section ends whose name begins with a key, without the comments behind it.

        Returns:
            The index of a character of the text; None where there is no such section.
        """
        ends = [
            max((pair.end_byte for pair in node.children if pair.type == "pair"), default=head.end_byte)
            for node in self._root.children
            if node.type == "table"
            for head in [next(child for child in node.children if child.type in _KEYS)]
            if self._parts(head)[0][0] == first
        ]
        return len(self._source[: max(ends)].decode("utf-8", "replace")) if ends else None

    def end_of_entries(self, key: str) -> tuple[int, bool] | None:
        """Return where the last entry ends of a table in braces, and whether it has any.

        Returns:
            The index of a character of the text; None where ``key`` of the file itself is no such table.
        """
        node = self._values.get((key,))
        if node is None or node.type != "inline_table":
            return None
        pairs = [child.end_byte for child in node.children if child.type == "pair"]
        end = max(pairs, default=node.start_byte + 1)
        return len(self._source[:end].decode("utf-8", "replace")), bool(pairs)

    def _span(self, node: Node) -> _Span:
        row, byte_column = node.start_point
        start = node.start_byte - byte_column
        column = len(self._source[start : node.start_byte].decode("utf-8", "replace")) + 1
        text = self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        return row + 1, column, max(1, len(text.split("\n")[0].rstrip("\r")))

    def _read(self, path: KeyPath) -> None:
        """Read the tables that a key may be in."""
        for size in (1, 2):
            for node, table in self._unread.pop(path[:size], ()):
                for child in node.children:
                    if child.type == "pair":
                        self._pair(child, table)

    def _note(self, path: KeyPath, node: Node) -> None:
        """Note where a key is first written, if no heading ends with it."""
        known = self._keys.get(path)
        if known is None or (node.start_byte < known.start_byte and path not in self._headed):
            self._keys[path] = node

    def _table(self, node: Node) -> None:
        head = next(child for child in node.children if child.type in _KEYS)
        path: KeyPath = ()
        for part, part_node in self._parts(head):
            path = (*path, part)
            self._note(path, part_node)
            if path in self._array_sizes and node.type == "table":
                path = (*path, self._array_sizes[path] - 1)
        if node.type == "table_array_element":
            self._array_sizes[path] = self._array_sizes.get(path, 0) + 1
            path = (*path, self._array_sizes[path] - 1)
        self._keys[path] = head
        self._headed.add(path)
        self._unread.setdefault(path[:2], []).append((node, path))

    def _pair(self, node: Node, path: KeyPath) -> None:
        key = next((child for child in node.children if child.type in _KEYS), None)
        if key is None:
            return
        for part, part_node in self._parts(key):
            path = (*path, part)
            self._note(path, part_node)
        named = [child for child in node.named_children if child.type != "comment"]
        if len(named) > 1:
            self._value(named[-1], path)

    def _value(self, node: Node, path: KeyPath) -> None:
        self._values[path] = node
        if node.type == "inline_table":
            for child in node.children:
                if child.type == "pair":
                    self._pair(child, path)
        elif node.type == "array":
            items = [child for child in node.named_children if child.type != "comment"]
            for index, item in enumerate(items):
                self._value(item, (*path, index))

    def _parts(self, node: Node) -> list[tuple[str, Any]]:
        if node.type == "dotted_key":
            return [part for child in node.children if child.type in _KEYS for part in self._parts(child)]
        text = self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        if node.type == "quoted_key":
            import tomllib  # noqa: PLC0415  a quoted key's escapes, by the parser that read the file

            try:
                text = next(iter(tomllib.loads(f"{text} = 0")))
            except tomllib.TOMLDecodeError:
                text = text[1:-1]
        return [(text, node)]
