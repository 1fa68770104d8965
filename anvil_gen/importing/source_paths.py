"""Relative paths of a source: which folder they mean, and how an inventory writes them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.host_paths import is_absolute
from anvil_gen.importing.texts import has_variable, value_of
from anvil_gen.inventory.fleet import leads_above
from anvil_gen.resolve.relative_paths import with_moved_default, written_paths
from anvil_gen.text.interpolation import fill_all
from anvil_gen.values import KeyPath


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


def moved_text(text: str, move: Move) -> str:
    """Return a path of a compose file as the text that the inventory has to say.

    Rendering moves the default of what is one variable, and no path inside another text: `project_directory` does that.
    """
    value = value_of(text)
    if isinstance(value, str):
        return move(text)
    return with_moved_default(text, move) if "default" in value else text


def has_relative_value(service: Any, values: Mapping[str, str]) -> bool:
    """Tell whether some path of the host has a variable in it and is relative, by its value, its default or its text.

    What it means depends on the folder of the file that Compose reads it from.
    """
    return any(
        text and not text.startswith("~") and not is_absolute(text) and "://" not in text
        for place, text in written_paths(fill_all(service, values), ())
        if has_variable(_at(service, place))
    )


def _at(value: Any, place: KeyPath) -> str:
    for key in place:
        value = value[key]
    return str(value)
