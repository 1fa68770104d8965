"""One after the other: two Composes that change the same project at once get in each other's way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def project_lock(folder: Path, on_wait: Callable[[], None]) -> Iterator[tuple[int, ...]]:
    """Wait until nobody else has its turn in a deploy folder, and have it.

    What is yielded are descriptors for the command to inherit: the system holds the turn until the last process that
    has one ends. So what a killed `up` leaves at work is waited for too, and no turn is ever stale. ``on_wait`` is
    called before a wait. Where the system or the file system knows no such locks, there are no turns.
    """
    file = _opened(folder)
    if file is None:
        yield ()
        return
    try:
        _lock(file, on_wait)
        yield (file,)
    finally:
        os.close(file)


def _opened(folder: Path) -> int | None:
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
