"""An inventory as text: its tables in the order that people expect, a line a key, comments at their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.inventory.env_references import DECLARED
from anvil_gen.patterns import lazy_pattern
from anvil_gen.render.quoting import comment, toml_string
from anvil_gen.values import KeyPath, Number

_BARE = lazy_pattern(r"[A-Za-z0-9_-]+")
_DOTTED = ("environment", "flags", "mounts", "files", "lora")
"""Tables of a tier that are written as dotted keys, a line an entry."""
_NAMED = ("gpus", "tiers", "services", "modes", "links", *DECLARED)
"""Sections of tables with names of their own."""
_MOST_DOTTED = 4
_LONGEST = 100
_LINES = lazy_pattern(r"[^\x00-\x09\x0b-\x1f\x7f\\\u2028\u2029\ud800-\udfff]*")

Comments = Mapping[KeyPath, list[str]]


def inventory_text(data: Mapping[str, Any], comments: Comments) -> str:
    """Return an inventory as TOML; ``comments`` are by the keys that they are about."""
    return "\n".join(_Writer(comments).document(data)).strip("\n") + "\n"


class _Writer:
    def __init__(self, comments: Comments) -> None:
        self._comments = comments

    def document(self, data: Mapping[str, Any]) -> Iterator[str]:
        yield from self._said(())
        for key, value in data.items():
            if not isinstance(value, dict):
                yield from self._entry(key, value, (key,))
        for key, value in data.items():
            if isinstance(value, dict):
                yield from self._section(value, (key,))

    def _section(self, table: Mapping[str, Any], path: KeyPath) -> Iterator[str]:
        named = path[0] in _NAMED and len(path) == 1
        if named:
            for name, entry in table.items():
                yield from self._section(entry, (*path, name))
            return
        below = {key: value for key, value in table.items() if self._is_section(str(key), value, path)}
        yield ""
        yield from self._said(path)
        yield f"[{'.'.join(toml_key(part) for part in path)}]"
        for key, value in table.items():
            if key not in below:
                yield from self._entries(str(key), value, (*path, key))
        for key, value in below.items():
            yield from self._section(value, (*path, key))

    def _is_section(self, key: str, value: Any, path: KeyPath) -> bool:
        if not isinstance(value, dict) or not value or _is_reference(value):
            return False
        if key in _DOTTED and path[0] in ("tiers", "defaults"):
            return len(value) > _MOST_DOTTED
        return len(f"{key} = {toml_value(value)}") > _LONGEST or any("\n" in str(item) for item in value.values())

    def _entries(self, key: str, value: Any, path: KeyPath) -> Iterator[str]:
        if isinstance(value, dict) and value and key in _DOTTED and path[0] in ("tiers", "defaults"):
            yield from self._said(path)
            for name, item in value.items():
                yield from self._entry(f"{key}.{toml_key(name)}", item, (*path, name))
        else:
            yield from self._entry(toml_key(key), value, path)

    def _entry(self, key: str, value: Any, path: KeyPath) -> Iterator[str]:
        yield from self._said(path)
        yield f"{key} = {toml_value(value)}"

    def _said(self, path: KeyPath) -> Iterator[str]:
        yield from (f"# {comment(line)}".rstrip() for line in self._comments.get(path, ()))


def _is_reference(value: Mapping[str, Any]) -> bool:
    return value.keys() <= {"env", "default"} or value.keys() == {"interpolate"}


def toml_key(key: Any) -> str:
    """Return a key of a table."""
    text = str(key)
    return text if _BARE.fullmatch(text) else toml_string(text)


def toml_value(value: Any) -> str:
    """Return a value in one line, but for a text of several."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**63 else toml_string(str(value))
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict):
        entries = ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None)
        return f"{{ {entries} }}" if entries else "{}"
    return _text(str(value))


def _text(text: str) -> str:
    if text.count("\n") > 1 and "'''" not in text and _LINES.fullmatch(text) and not text.startswith("\n"):
        return f"'''\n{text}'''"
    if text.count("\n") > 1 and '"""' not in text and not text.endswith('"') and not text.startswith("\n"):
        inside = "\n".join(toml_string(line)[1:-1] for line in text.split("\n"))
        return f'"""\n{inside}"""'
    return toml_string(text)
