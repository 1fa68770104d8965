"""A folder below which no link is followed: whatever lies in it, nothing outside is read, written or removed.

Each component of a path is opened by itself, relative to the folder before it. Where the system cannot do that
(Windows), each is looked at first.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path
from anvil_gen.digests import digest
from anvil_gen.patterns import lazy_pattern

_BY_DESCRIPTOR = hasattr(os, "O_NOFOLLOW") and os.open in os.supports_dir_fd
_FOLDER = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)
# Opening a pipe would wait for its other end.
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_LARGEST = 1 << 26  # bytes of a file: far more than anything that is rendered, and no more than a memory holds
_JUNCTION = 0xA0000003  # a link between folders of Windows, by its reparse tag

_TEMPORARY_NAME = lazy_pattern(r"\.anvil-gen-[0-9a-f]{12}\.(?:tmp|yml)")


def temporary_name(name: str, content: str, suffix: str = "tmp") -> str:
    """Return the name of the file that holds a file's next content, in the same folder."""
    return f".anvil-gen-{digest(name, content)}.{suffix}"


def is_temporary(path: str) -> bool:
    """Tell whether a path is one that `temporary_name` gives."""
    return _TEMPORARY_NAME.fullmatch(path.rpartition("/")[2]) is not None


class _Open(NamedTuple):
    """A folder that is open; without a descriptor where the system has none for folders."""

    descriptor: int | None
    path: str

    def name(self, name: str) -> str:
        """Return what the system is given for a file in it."""
        return name if self.descriptor is not None else os.path.join(self.path, name)  # noqa: PTH118


class ContainedFolder:
    """A folder, and the files below it by their paths, with `/` between components.

    Each method raises a `DiagnosticError` that names what is in the way: a link, or what is no regular file or folder.
    As a context, it keeps folders open from one call to the next.
    """

    def __init__(self, path: Path) -> None:
        """Take the folder at ``path``, which itself is no link. It need not exist."""
        self.path = path
        self._made: list[str] = []
        self._made_above: list[Path] = []
        self._folders: dict[str, _Open] = {}
        self._contexts = 0

    def __enter__(self) -> Self:
        self._contexts += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._contexts -= 1
        if not self._contexts:
            for opened in self._folders.values():
                _close(opened)
            self._folders.clear()

    def read(self, path: str) -> bytes | None:
        """Return what a file holds; None where there is nothing."""
        try:
            file = self.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise in_the_way(self.path / path, reason(error)) from None
        with os.fdopen(file, "rb") as opened:
            content = opened.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise in_the_way(self.path / path, f"it is larger than {_LARGEST >> 20} MiB")
        return content

    def open(self, path: str, flags: int, *, make: bool = False) -> int:
        """Open a file; with ``make``, the folders that it is in are made."""
        with self:
            parent, name = self._parent(path, make=make)
            return _open_file(parent, name, flags)

    def create(self, path: str, content: bytes, *, mode: int | None = None, time_ns: int | None = None) -> None:
        """Make a file, and the folders that it is in; with a ``mode``, it is on the disk when this returns.

        Raises:
            FileExistsError: there is one.
        """
        with self:
            file = self.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, make=True)
            parent, name = self._parent(path)
            try:
                with os.fdopen(file, "wb") as opened:
                    opened.write(content)
                    opened.flush()
                    self._finish(parent, name, file, mode, time_ns)
            except OSError:
                os.unlink(parent.name(name), dir_fd=parent.descriptor)
                raise

    def _finish(self, parent: _Open, name: str, file: int, mode: int | None, time_ns: int | None) -> None:
        """Set mode and time of a file that is open: by its name, a link that was put there would be followed."""
        place: int | str = file if _BY_DESCRIPTOR else parent.name(name)
        if mode is not None:
            os.fsync(file)
            os.chmod(place, mode)  # noqa: PTH101  by the descriptor
        if time_ns is not None:
            os.utime(place, ns=(time_ns, time_ns))

    def rename(self, source: str, path: str) -> None:
        """Put a file in the place of another one in the same folder."""
        with self:
            parent, name = self._parent(path)
            old, at = parent.name(source.rpartition("/")[2]), parent.descriptor
            os.replace(old, parent.name(name), src_dir_fd=at, dst_dir_fd=at)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with self, suppress(FileNotFoundError):
            parent, name = self._parent(path)
            os.unlink(parent.name(name), dir_fd=parent.descriptor)

    def remove_folder(self, folder: str) -> None:
        """Remove a folder, if it is there and empty."""
        with self, suppress(OSError):
            parent, name = self._parent(folder)
            os.rmdir(parent.name(name), dir_fd=parent.descriptor)
            if folder in self._folders:
                _close(self._folders.pop(folder))

    def stat(self, path: str) -> os.stat_result:
        """Return what the system knows of a file."""
        with self:
            parent, name = self._parent(path)
            return os.stat(parent.name(name), dir_fd=parent.descriptor, follow_symlinks=False)

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        """Return the names of the regular files and folders in a folder, each with whether it is a folder.

        Where no folder is, nothing is.
        """
        try:
            with self:
                opened = self._opened(folder)
                with os.scandir(opened.path if opened.descriptor is None else opened.descriptor) as found:
                    kinds = [(entry.name, _kind(entry)) for entry in found if entry.name.isprintable()]
        except (OSError, DiagnosticError):
            return []
        return [(name, kind == "folder") for name, kind in kinds if kind]

    def remove_made(self) -> None:
        """Remove the folders that were made for files, where they are empty."""
        for folder in reversed(self._made):
            self.remove_folder(folder)
        for path in reversed(self._made_above):
            with suppress(OSError):  # not empty, or gone
                path.rmdir()
        self._made, self._made_above = [], []

    def _parent(self, path: str, *, make: bool = False) -> tuple[_Open, str]:
        """Return the folder that a file is in, open, and the file's name."""
        folder, _, name = path.rpartition("/")
        return self._opened(folder, make=make), name

    def _opened(self, folder: str, *, make: bool = False) -> _Open:
        if folder not in self._folders:
            if folder:
                parent, name = self._parent(folder, make=make)
                if make:
                    self._make(parent, folder)
                self._folders[folder] = self._enter(parent, name)
            else:
                if make:
                    self._make_root()
                self._folders[""] = self._enter(None, "")
        return self._folders[folder]

    def _make_root(self) -> None:
        missing = [folder for folder in (self.path, *self.path.parents) if not os.path.lexists(folder)]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self._made_above.append(folder)

    def _make(self, parent: _Open, folder: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(parent.name(folder.rpartition("/")[2]), dir_fd=parent.descriptor)
            self._made.append(folder)

    def _enter(self, opened: _Open | None, name: str) -> _Open:
        """Open a folder in one that is open; without one, the root."""
        place = str(self.path) if opened is None else os.path.join(opened.path, name)  # noqa: PTH118
        if name == "..":
            raise in_the_way(Path(place), "it is outside")
        try:
            if _BY_DESCRIPTOR:
                at = opened.descriptor if opened is not None else None
                return _Open(os.open(name or place, _FOLDER, dir_fd=at), place)
            if not _is_folder(Path(place)):
                raise NotADirectoryError
        except FileNotFoundError:
            if opened is None:
                _require_no_dangling_link(self.path)
            raise
        except OSError as error:
            raise _no_folder(Path(place), error) from None
        return _Open(None, place)


def _open_file(parent: _Open, name: str, flags: int) -> int:
    """Open a regular file in a folder that is open."""
    try:
        if parent.descriptor is None:
            with suppress(FileNotFoundError):
                _require_file(parent, name)
        file = os.open(parent.name(name), flags | _FILE, 0o666, dir_fd=parent.descriptor)
    except FileNotFoundError:
        raise
    except OSError:
        with suppress(OSError):
            _require_file(parent, name)
        raise
    try:
        _require_file(parent, name, os.fstat(file))
    except DiagnosticError:
        os.close(file)
        raise
    return file


def _require_file(parent: _Open, name: str, found: os.stat_result | None = None) -> None:
    found = found or Path(parent.path, name).lstat()
    if stat.S_ISREG(found.st_mode):
        return
    place = Path(parent.path, name)
    kinds = {stat.S_IFLNK: _link(place), stat.S_IFDIR: "it is a folder"}
    raise in_the_way(place, kinds.get(stat.S_IFMT(found.st_mode), "it is no regular file"))


def _require_no_dangling_link(path: Path) -> None:
    for place in (path, *path.parents):
        if place.is_symlink() and not place.exists():
            raise in_the_way(place, _link(place))


def _link(place: Path) -> str:
    return "it is a link" if place.exists() else "it is a link to nothing"


def _no_folder(place: Path, error: OSError) -> DiagnosticError:
    """Return why a folder cannot be entered, by the first thing in the way to it that is none."""
    for there in (*reversed(place.parents), place):
        with suppress(OSError):
            if stat.S_ISLNK(there.lstat().st_mode) and there == place:
                return in_the_way(there, _link(there))
            if not there.is_dir():
                return in_the_way(there, "it is no folder")
    return in_the_way(place, reason(error))


def _is_folder(place: Path) -> bool:
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and getattr(found, "st_reparse_tag", 0) != _JUNCTION


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else ""


def _close(opened: _Open) -> None:
    if opened.descriptor is not None:
        os.close(opened.descriptor)


def in_the_way(place: Path, what: str) -> DiagnosticError:
    """Return the error of something that stands where a file or folder of ours belongs."""
    return DiagnosticError(
        [
            Diagnostic(
                code="something-is-in-the-way",
                detail=what,
                remedy="move it, and render again",
                location=Location(file=display_path(place)),
            )
        ]
    )


def reason(error: OSError) -> str:
    """Return what the system says, as a detail."""
    return (error.strerror or str(error)).lower()
