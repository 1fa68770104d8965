"""Paths of a machine as Docker takes them, and where the same files lie for a program that runs on it."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

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
