"""Paths of the machine that is described, which need not be the one that renders: pure text, in any style."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath


def is_absolute(path: str) -> bool:
    """Tell whether a path is absolute: POSIX, Windows with a drive, or UNC."""
    if path.startswith("/"):
        return True
    windows = PureWindowsPath(path)
    return windows.drive != "" and windows.root != ""


def join(base: str, inside: str) -> str:
    """Join in the base's own style: with backslashes only where the base is written with them alone."""
    separator = "\\" if "\\" in base and "/" not in base else "/"
    return base.rstrip("/\\") + separator + inside.replace("\\", "/").strip("/").replace("/", separator)


def last_part(path: str) -> str:
    """Return the name of a path's last folder or file; an empty string for a root or a drive."""
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "" if name == PureWindowsPath(path).drive else name


def is_below(path: str) -> bool:
    """Tell whether a relative path leads to something below the folder that it starts from."""
    parts = set(path.replace("\\", "/").split("/"))
    return ".." not in parts and not parts <= {"", "."} and PureWindowsPath(path).drive == ""


_DRIVES = "mnt"
"""Where WSL2 has the drives of Windows."""


def is_of_windows(path: str) -> bool:
    """Tell whether an absolute path is one of Windows: with a drive, or on another machine."""
    return not path.startswith("/") and PureWindowsPath(path).drive != ""


def seen_from_here(path: str, *, system: str, root: Path = Path("/")) -> Path | None:
    """Return an absolute path as this machine's programs open it; None where they cannot."""
    if system == "win32":
        return Path(path) if is_of_windows(path) else None
    if not is_of_windows(path):
        return root / path.lstrip("/")
    windows = PureWindowsPath(path)
    drive = root / _DRIVES / windows.drive[:1].lower()
    is_drive = windows.drive[1:] == ":" and drive.is_dir()
    return drive.joinpath(*windows.parts[1:]) if is_drive else None
