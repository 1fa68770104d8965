"""What is remembered of a deploy tree on this machine: what was last written, and a write that is under way."""

from pathlib import Path, PureWindowsPath
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from anvil_gen.resolve.resolved_host import Sources


class State(Struct, frozen=True, kw_only=True):
    """What was last written on this machine, and from what."""

    format: Literal[1] = 1
    version: str
    sources: Sources
    files: dict[str, str]


class Journal(Struct, frozen=True, kw_only=True):
    """A write: files by the digest of what it expects in their place, and the folders that it makes.

    The new text of a file is staged under its number in ``replace``.
    """

    format: Literal[1] = 1
    replace: dict[str, str | None]
    delete: dict[str, str]
    folders: list[str]


Stored = TypeVar("Stored", State, Journal)


def load(path: Path, kind: type[Stored]) -> Stored | None:
    """Return a file of the state folder; None where it is missing, damaged, or names a file outside."""
    try:
        stored: Stored = msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    names = stored.files if isinstance(stored, State) else [*stored.replace, *stored.delete, *stored.folders]
    return stored if all(map(_is_inside, names)) else None


def _is_inside(path: str) -> bool:
    windows = PureWindowsPath(path)  # knows both separators, and drives
    return not windows.anchor and ".." not in windows.parts
