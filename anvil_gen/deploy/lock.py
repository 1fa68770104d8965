"""One writer at a time in a folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from anvil_gen.deploy.contained_folder import ContainedFolder


class FolderLock:
    """A folder that one process holds at a time, by a file in it.

    The system lets go of the file when the process ends, however it ends: no lock is ever stale.
    """

    _ATTEMPTS = 100

    def __init__(self, folder: ContainedFolder, path: str, content: bytes) -> None:
        """Lock ``folder`` by its file at ``path``, which gets this content where it is made."""
        self._folder = folder
        self._path = path
        self._content = content
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Tell whether this process holds it."""
        return self._file is not None

    def acquire(self) -> None:
        """Wait until the folder is ours; it is made where it is missing."""
        attempts = self._ATTEMPTS
        while self._file is None:
            try:
                self._try()
            except FileNotFoundError:  # another process has just taken back what it had made
                attempts -= 1
                if attempts == 0:
                    raise

    def wait(self) -> None:
        """Wait until nobody holds the folder; nothing is made, and nothing held."""
        with suppress(OSError):  # where there is no file, or none that can be locked, nobody holds it
            file = self._folder.open(self._path, os.O_RDONLY)
            try:
                _wait_to_read(file)
            finally:
                os.close(file)

    def release(self) -> None:
        """Let go of the folder, if it is ours."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def release_unused(self) -> None:
        """Let go of the folder; the lock goes where nothing else is in its folder, with the folders that were made."""
        if self._file is not None:
            if sys.platform == "win32":
                self.release()  # an open file cannot be removed there, so that no other process can lose it
            folder, _, name = self._path.rpartition("/")
            if self._folder.entries(folder) == [(name, False)]:
                with suppress(OSError):
                    self._folder.remove(self._path)
                self._folder.remove_folder(folder)
        self._folder.remove_made()
        self.release()

    def _try(self) -> None:
        file = self._folder.open(self._path, os.O_RDWR | os.O_CREAT, make=True)
        try:
            _wait_for(file)
            # Who held it may have removed it: then another one stands there, or none.
            if os.path.samestat(os.fstat(file), self._folder.stat(self._path)):
                self._file = file
                found = os.fstat(file)
                if found.st_size == 0 and found.st_nlink == 1:  # else it is somebody's file elsewhere too
                    # By this descriptor: closing any other of the file would end the lock.
                    os.lseek(file, 0, os.SEEK_SET)
                    os.write(file, self._content)
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


def _wait_to_read(file: int) -> None:
    """Wait for a file's lock as one that cannot write to the file may: together with others."""
    if sys.platform == "win32":
        _wait_on_windows(file)
    else:
        import fcntl  # noqa: PLC0415  not on every system

        fcntl.lockf(file, fcntl.LOCK_SH)


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
