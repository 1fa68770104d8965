"""A lock for each project: two runs of Compose that change the same project at once interfere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def project_lock(folder: Path, on_wait: Callable[[], None]) -> Iterator[tuple[int, ...]]:
    """Wait for the lock of a deploy folder, and hold it.

    Yields the descriptors for the command to inherit: the system holds the lock until the last process that has one
    ends. So the lock also waits for what a killed `up` has left running, and is never stale. ``on_wait`` is called
    before a wait. Where the system or the file system has no such locks, nothing is locked.
    """
    file = _open(folder)
    if file is None:
        yield ()
        return
    try:
        _lock(file, on_wait)
        yield (file,)
    finally:
        os.close(file)


def _open(folder: Path) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # nothing is rendered yet
        return None


def _lock(file: int, on_wait: Callable[[], None]) -> None:
    if sys.platform == "win32":
        return
    import fcntl  # noqa: PLC0415  not on every system

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait()
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # a network file system without locks
        return
