"""A person's own file replaced as a whole: at any moment it is the old one or the new one."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from anvil_gen.deploy.contained_folder import ContainedFolder, is_temporary, reason, temporary_name
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location


def replace_file(path: Path, before: bytes, after: bytes) -> None:
    """Replace what a file holds, through a link to it, with its permissions kept.

    Raises:
        DiagnosticError: it no longer holds ``before``, or cannot be written; it is as it was.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
        if target.read_bytes() != before:
            raise _diagnostic(path, "somebody has changed it in the meantime", "look at it, and run this again")
        if not mode & stat.S_IWUSR:  # which holds nobody back who is root
            raise _diagnostic(path, "it is read-only", "make it writable, and run this again")
        _replace(target, after, mode)
    except OSError as error:
        raise _diagnostic(path, reason(error), "") from None


def write_file(path: Path, before: bytes | None, after: bytes) -> None:
    """Write a file as a whole, with the folder that it is in; ``before`` is what it holds, None where there is none.

    Raises:
        DiagnosticError: it holds something else, or cannot be written; it is as it was.
    """
    if before is not None:
        replace_file(path, before, after)
        return
    if os.path.lexists(path):
        raise _diagnostic(path, "somebody has written it in the meantime", "look at it, and run this again")
    try:
        _replace(path, after, 0o666 & ~_umask())
    except OSError as error:
        raise _diagnostic(path, reason(error), "") from None


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _replace(target: Path, content: bytes, mode: int) -> None:
    folder, name = ContainedFolder(target.parent), temporary_name(target.name, secrets.token_hex())
    for left_over, is_folder in folder.entries(""):  # of a run that was killed
        if is_temporary(left_over) and not is_folder:
            folder.remove(left_over)
    try:
        folder.create(name, content, mode=mode)
        folder.rename(name, target.name)
    finally:
        with suppress(OSError):  # as after a rename, which leaves nothing here
            folder.remove(name)


def _diagnostic(path: Path, detail: str, remedy: str) -> DiagnosticError:
    location = Location(file=path.as_posix())
    return DiagnosticError([Diagnostic(code="cannot-write-the-file", detail=detail, remedy=remedy, location=location)])
