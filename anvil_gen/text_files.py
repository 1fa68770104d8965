"""Files whose content is read: regular ones of a sensible size, and text."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST = 1 << 20
"""Bytes of a file that is read; no inventory, template or mounted text comes near."""
HIDDEN = "it leads to a hidden file, or into a hidden folder"

# Opening a pipe would wait for its other end.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: Path, *, below: Path | None = None) -> bytes:
    """Return what a regular file of at most `LARGEST` bytes holds, which with ``below`` is in that folder.

    Links are followed, and what counts is where they lead. What is hidden there is no text of that folder: `.env` and
    `.git/config` hold secrets.

    Raises:
        OSError: it is none, or cannot be read; its ``strerror`` says why.
    """
    if below is not None and not is_inside(path, below):
        raise _refused(path, f"it leads out of {below.name or below}")
    if below is not None and is_hidden(path, below):
        raise _refused(path, HIDDEN)
    if path.is_dir():  # which Windows cannot open at all
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise _refused(path, "it is no regular file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise _refused(path, "it is larger than 1 MiB")
    return content


def read_text(path: Path, *, below: Path | None = None) -> str:
    """Return the text of such a file, its line ends as they are.

    Raises:
        OSError: as `read_bytes`, or it is no UTF-8 text.
    """
    content = read_bytes(path, below=below)
    if b"\0" in content:
        raise _refused(path, "it has a NUL character in it")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(path, "it is no UTF-8 text") from None


def is_inside(path: Path, folder: Path) -> bool:
    """Tell whether a path leads to a folder itself or to something below it, links resolved."""
    real, root = (os.path.normcase(os.path.realpath(one)) for one in (path, folder))
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


def is_hidden(path: Path, folder: Path) -> bool:
    """Tell whether the way from a folder to what a path leads to has a hidden name in it."""
    way = Path(os.path.relpath(os.path.realpath(path), os.path.realpath(folder)))
    return any(part.startswith(".") for part in way.parts)


def _refused(path: Path, why: str) -> OSError:
    return OSError(errno.EINVAL, why, str(path))
