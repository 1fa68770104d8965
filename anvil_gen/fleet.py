"""Where things of a fleet lie: inventories in ``hosts/``, templates and rendered trees beside it.

Also what git has of a rendered tree, and which process may write to it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from anvil_gen import __version__
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, did_you_mean, listing

HOSTS = "hosts"


def hosts_folder(start: Path) -> Path | None:
    """Return the ``hosts/`` folder of ``start`` or of the nearest folder above it."""
    return next((folder / HOSTS for folder in (start, *start.parents) if (folder / HOSTS).is_dir()), None)


def host_names(start: Path) -> list[str]:
    """Return the names of all inventories that can be given by name."""
    return [path.stem for path in _inventories(hosts_folder(start))]


def find_inventory(host: str, start: Path) -> Path:
    """Return the inventory that a path or a host's name stands for.

    Raises:
        DiagnosticError: there is none of that name. A path is not checked here.
    """
    if host.endswith(".toml") or "/" in host or os.sep in host or _exists(start / host):
        return Path(host)
    folder = hosts_folder(start)
    if folder is not None and _exists(folder / f"{host}.toml"):
        return Path(shown(folder / f"{host}.toml", start))
    names = host_names(start)
    known = f"hosts/ has: {listing(names)}" if names else "there is no hosts/ folder here or above"
    raise DiagnosticError(
        [
            Diagnostic(
                summary="unknown host",
                detail=f'"{host}" is no inventory: {known}',
                remedy=did_you_mean(host, names) or "name a host, or the path of its .toml file",
            )
        ]
    )


def all_inventories(start: Path) -> list[Path]:
    """Return every inventory of the fleet, by name.

    Raises:
        DiagnosticError: there is no fleet here.
    """
    folder = hosts_folder(start)
    found = _inventories(folder)
    if not found:
        where = "hosts/ holds no .toml file" if folder else "there is no hosts/ folder here or above"
        raise DiagnosticError([Diagnostic(summary="no inventories", detail=where)])
    return [Path(shown(path, start)) for path in found]


def fleet_root(inventory: Path) -> Path:
    """Return the folder that holds ``hosts/``; an inventory outside such a folder is a fleet by itself."""
    folder = Path(os.path.abspath(inventory)).parent  # noqa: PTH100  resolve() would follow links out of the fleet
    return folder.parent if folder.name == HOSTS else folder


def header_name(inventory: Path) -> str:
    """Return how rendered files name their inventory: the same wherever the fleet lies."""
    folder = Path(os.path.abspath(inventory)).parent  # noqa: PTH100
    return f"{HOSTS}/{inventory.name}" if folder.name == HOSTS else inventory.name


def cache_folder() -> Path | None:
    """Return where compiled templates may be kept; None where the machine offers no such folder."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")  # noqa: PTH111  stays as it is without a home
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    if not base or not Path(base).is_absolute():
        return None
    return Path(base) / "anvil-gen" / f"templates-{__version__}"


def shown(path: Path, start: Path | None = None) -> str:
    """Return a path as a person in ``start``, or else in the working folder, would write it."""
    try:
        relative = Path(os.path.relpath(path, start or os.curdir)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()
    return path.as_posix() if relative.startswith("../../../..") else relative


def _inventories(folder: Path | None) -> list[Path]:
    """Return the inventories of a folder; hidden files are an editor's."""
    found = folder.glob("*.toml") if folder is not None else ()
    return sorted(path for path in found if not path.name.startswith(".") and path.is_file())


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL in it
        return False


def committed(folder: Path, paths: Iterable[str]) -> Iterator[bytes | None]:
    """Yield what git has committed of each file below ``folder``; None for what it does not have."""
    import subprocess  # noqa: PLC0415  only where a file is not as we last wrote it

    # Set in a hook: they would point git away from the folder.
    environment = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    # Git's objects and not its index: that may say "unchanged" of what a user told it not to look at.
    command = ["git", "-C", str(folder), "cat-file", "--batch"]
    asked = "".join(f"HEAD:./{path}\n" for path in paths).encode()
    try:
        answer = subprocess.run(command, input=asked, env=environment, capture_output=True, check=False).stdout  # noqa: S603
    except OSError:  # no git on this machine
        return
    while answer:
        head, _, answer = answer.partition(b"\n")
        words = head.split()
        if len(words) != 3 or words[1] != b"blob":
            yield None
            continue
        size = int(words[2])
        yield answer[:size]
        answer = answer[size + 1 :]


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
