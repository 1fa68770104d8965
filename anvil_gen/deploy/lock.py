"""One writer at a time in a folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path


class FolderLock:
    """A folder that one process holds at a time, by a file in it.

    The system lets go of the file when the process ends, however it ends: no lock is ever stale.
    """

    _ATTEMPTS = 100

    def __init__(self, folder: Path, name: str, content: bytes) -> None:
        """Lock ``folder`` by its file ``name``, which gets this content where it is made."""
        self._folder = folder
        self._path = folder / name
        self._content = content
        self._file: int | None = None
        self._made: list[Path] = []

    @property
    def held(self) -> bool:
        """Tell whether this process holds it."""
        return self._file is not None

    def acquire(self) -> None:
        """Wait until the folder is ours; it is made where it is missing."""
        attempts = self._ATTEMPTS
        while self._file is None:
            try:
                self._make_folder()
                self._try()
            except FileNotFoundError:  # another process has just taken back what it had made
                attempts -= 1
                if attempts == 0:
                    raise

    def release(self) -> None:
        """Let go of the folder, if it is ours."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def release_unused(self) -> None:
        """Let go of the folder; it goes where nothing but the lock is in it, with the folders that were made for it."""
        if self._file is not None or self._made:
            if sys.platform == "win32":
                self.release()  # an open file cannot be removed there, so that no other process can lose it
            with suppress(OSError):
                if os.listdir(self._folder) == [self._path.name]:  # noqa: PTH208
                    self._path.unlink()
            for folder in (self._folder, *reversed(self._made)):
                with suppress(OSError):  # not empty, or gone
                    folder.rmdir()
        self.release()

    def _make_folder(self) -> None:
        missing = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self._made.append(folder)

    def _try(self) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _wait_for(file)
            # Who held it may have removed it: then another one stands there, or none.
            if os.path.samestat(os.fstat(file), self._path.stat()):
                if os.fstat(file).st_size == 0:
                    # By this descriptor: closing any other of the file would end the lock.
                    os.lseek(file, 0, os.SEEK_SET)
                    os.write(file, self._content)
                self._file = file
        finally:
            if self._file is None:
                os.close(file)


def _wait_for(file: int) -> None:
    """Lock an open file, in each system's own way; where a file system knows no locks, nothing is locked."""
    try:
        if sys.platform == "win32":
            _wait_on_windows(file)
        else:
            os.lockf(file, os.F_LOCK, 0)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise


def _wait_on_windows(file: int) -> None:
    import msvcrt  # noqa: PLC0415

    # A byte beyond the end, since a locked one cannot be read.
    os.lseek(file, 1 << 30, os.SEEK_SET)
    while True:
        try:
            return msvcrt.locking(file, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,no-any-return,unused-ignore]
        except OSError as error:
            if error.errno != errno.EDEADLK:  # which it is after ten seconds
                raise
