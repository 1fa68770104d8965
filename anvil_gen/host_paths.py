"""Paths of the described host, which need not be the one that renders: pure text, POSIX or Windows."""

from __future__ import annotations

import ntpath
import posixpath
from pathlib import Path, PureWindowsPath

from anvil_gen.patterns import lazy_pattern

_ROOT_OF_A_PROCESS = lazy_pattern(r"/+proc/[^/]+(?:/task/[^/]+)?/(?:root|cwd)")
"""Links of Linux to the root of a file system, and to a folder that is the root for a daemon."""


def is_absolute(path: str) -> bool:
    """Tell whether a path is absolute: POSIX, Windows with a drive, or UNC."""
    if path.startswith("/"):
        return True
    windows = PureWindowsPath(path)
    return windows.drive != "" and windows.root != ""


def join(base: str, inside: str) -> str:
    """Join in the base's own style: with backslashes only if the base uses nothing else."""
    separator = "\\" if "\\" in base and "/" not in base else "/"
    return base.rstrip("/\\") + separator + inside.replace("\\", "/").strip("/").replace("/", separator)


def last_part(path: str) -> str:
    """Return the name of a path's last folder or file; an empty string for a root or a drive."""
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "" if name == PureWindowsPath(path).drive else name


def is_root(path: str) -> bool:
    """Tell whether an absolute path is the root of a file system or a drive, however it is written."""
    if not is_absolute(path):
        return False
    is_drive = not ntpath.splitdrive(ntpath.normpath(path))[1].strip("\\")
    return is_drive or _ROOT_OF_A_PROCESS.fullmatch(posixpath.normpath(path)) is not None


def is_below(path: str) -> bool:
    """Tell whether a relative path leads to something below the folder that it is relative to."""
    parts = set(path.replace("\\", "/").split("/"))
    return ".." not in parts and not parts <= {"", "."} and PureWindowsPath(path).drive == ""


_DRIVES = "mnt"
"""Where WSL2 mounts the drives of Windows."""


def is_windows_path(path: str) -> bool:
    """Tell whether an absolute path is a Windows path: with a drive, or UNC."""
    return not path.startswith("/") and PureWindowsPath(path).drive != ""


def local_path(path: str, *, system: str, root: Path = Path("/")) -> Path | None:
    """Return an absolute path as programs of this machine open it; None if they cannot."""
    if system == "win32":
        return Path(path) if is_windows_path(path) else None
    if not is_windows_path(path):
        return root / path.lstrip("/")
    windows = PureWindowsPath(path)
    drive = root / _DRIVES / windows.drive[:1].lower()
    is_drive = windows.drive[1:] == ":" and drive.is_dir()
    return drive.joinpath(*windows.parts[1:]) if is_drive else None
