"""Relative paths of a source: which folder they mean, and how an inventory writes them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from anvil_gen.host_paths import is_absolute
from anvil_gen.inventory.fleet import leads_above
from anvil_gen.values import Interpolation, split_compose_text


class Move(Struct, frozen=True, kw_only=True):
    """Writes a path that is relative to the source's folder as an inventory has it.

    One above the inventory's fleet is written from the root on.
    ``way`` leads from the inventory's folder to the source's.
    """

    folder: Path
    way: str
    inventory: Path

    def __call__(self, written: str) -> str:
        """Return a path, relative to the inventory's folder where it can be; never in the default of a variable."""
        if written.startswith("$"):
            return with_moved_default(written, self.absolute)
        if not written or written.startswith("~") or is_absolute(written) or "://" in written:
            return written
        path = posixpath.normpath(posixpath.join(self.way, written))
        return self.absolute(written) if leads_above(path, self.inventory) else path

    def absolute(self, written: str) -> str:
        """Return a relative path from the root on."""
        return posixpath.normpath((self.folder / written).as_posix())


def with_moved_default(text: str, move: Callable[[str], str]) -> str:
    """Return a path that begins with a variable, with its default moved where that is a relative path."""
    first = next((part for part in split_compose_text(text) if part), "")
    if not isinstance(first, Interpolation) or not first.has_default:
        return text
    head, word = f"${{{first.name}{first.operator}", first.word
    if not word.startswith(".") or "$" in word or not text.startswith(head + word):
        return text
    return f"{head}{move(word)}{text[len(head + word) :]}"
