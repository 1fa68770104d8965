"""What is remembered of a deploy tree on this host: what was last written. It is only ever compared with."""

from pathlib import PureWindowsPath
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from anvil_gen.resolve.host import Sources


class State(Struct, frozen=True, kw_only=True):
    """What was last written on this host, by digest, and from what."""

    format: Literal[1] = 1
    version: str
    sources: Sources
    files: dict[str, str]
    unfinished: dict[str, list[str]] | UnsetType = UNSET
    """While a write is under way, or after it was killed: what else may be in its files."""

    @property
    def is_finished(self) -> bool:
        """Tell whether the write came to its end."""
        return self.unfinished is UNSET

    @property
    def paths(self) -> set[str]:
        """Every file that the write made, or was to replace or remove."""
        return {*self.files, *(self.unfinished or ())}

    def digests(self, path: str) -> set[str]:
        """Return what may be in a file: what was written, and while a write is under way, what else."""
        written = {self.files[path]} if path in self.files else set()
        return written.union((self.unfinished or {}).get(path, ()))

    def encode(self) -> str:
        """Return the state file's text."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"


def decode(text: bytes | None) -> State | None:
    """Return the state that a file holds; None for no file, and for one that is damaged or names a file outside."""
    try:
        state = msgspec.json.decode(text or b"", type=State)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None
    return state if all(map(_is_inside, state.paths)) else None


def _is_inside(path: str) -> bool:
    windows = PureWindowsPath(path)  # knows both separators, and drives
    return not windows.anchor and ".." not in windows.parts
