"""Relative paths of a source: which folder they mean, and how an inventory writes them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.host_paths import is_absolute
from anvil_gen.importing.texts import value_of
from anvil_gen.inventory.fleet import leads_above
from anvil_gen.resolve.relative_paths import with_moved_default, written_paths
from anvil_gen.text.interpolation import fill_variables
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

    Rendering moves the default of what is one variable, and no path inside another text: from the root on, that means
    the same everywhere.
    """
    if not text.startswith("$"):
        return move(text)
    return with_moved_default(text, move if "default" in value_of(text) else move.absolute)


def has_relative_value(service: Any, values: Mapping[str, str]) -> bool:
    """Tell whether a variable is a relative path where a service has a path of the host, by its value or its default.

    Such a value means the folder of the file that reads it.
    """
    return any(
        text and not text.startswith("~") and not is_absolute(text) and "://" not in text
        for place, text in written_paths(_filled(service, values), ())
        if re.match(r"\$(?!\$)", _at(service, place))
    )


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return fill_variables(value, values) if isinstance(value, str) else value


def _at(value: Any, place: KeyPath) -> str:
    for key in place:
        value = value[key]
    return str(value)
