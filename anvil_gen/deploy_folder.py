"""The deploy tree on disk: what is there, whose it is, and how it is replaced so that nothing is lost.

A write stages all it needs in ``.anvil-gen/stage``, then puts the journal in place (from there on the write counts as
done), then renames file by file. A stage therefore stands there only while a write is under way or was killed:
`DeployFolder.recover` finishes what had been committed, and drops what had not.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from anvil_gen import __version__
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location
from anvil_gen.fleet import shown

STATE_FOLDER = ".anvil-gen"
HEADER = "# Made by anvil-gen from "
_FORMAT = 1

FileAction = Literal["create", "update", "delete"]


class FileChange(Struct, frozen=True, kw_only=True):
    """One file that a write would touch; texts are None where there is no file, and have LF line ends."""

    path: str
    action: FileAction
    before: str | None
    after: str | None


class _State(Struct, frozen=True, kw_only=True):
    """What was last written on this machine, and from what."""

    format: Literal[1] = _FORMAT
    version: str
    inventory: str
    files: dict[str, str]


class _Journal(Struct, frozen=True, kw_only=True):
    """A write: files by the digest of what it expects in their place, and the folders that it makes.

    The new text of a file is staged under its number in ``replace``.
    """

    format: Literal[1] = _FORMAT
    replace: dict[str, str | None]
    delete: dict[str, str]
    folders: list[str]


_Stored = TypeVar("_Stored", _State, _Journal)


class DeployFolder:
    """One host's folder of rendered files."""

    def __init__(self, path: Path, *, inventory: str) -> None:
        """Take the folder at ``path``, whose files' headers name ``inventory``. It need not exist."""
        self.path = path
        self._header = f"{HEADER}{inventory}. "
        self._state_folder = path / STATE_FOLDER
        self._state_file = self._state_folder / "state.json"
        self._stage = self._state_folder / "stage"
        self._journal = self._stage / "journal.json"
        self._staged_journal = self._stage / "journal.new"
        self._state = _load(self._state_file, _State)
        self._made: list[Path] = []

    def read(self, path: str) -> str | None:
        """Return the text of a file, with LF line ends; None where there is nothing.

        Raises:
            DiagnosticError: something is there that is no readable file.
        """
        place = self.path / path
        try:
            with open(place, "rb") as file:  # noqa: PTH123  as fast as it gets
                raw = file.read()
        except FileNotFoundError:
            if place.is_symlink():
                raise DiagnosticError([_in_the_way(place, "it is a link to nothing")]) from None
            return None
        except OSError as error:
            # Windows answers "permission denied" where POSIX says "is a directory".
            what = "it is a folder" if place.is_dir() else (error.strerror or str(error)).lower()
            raise DiagnosticError([_in_the_way(place, what)]) from None
        return raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n")

    def compare(self, files: Mapping[str, str], earlier: Iterable[str] = ()) -> list[FileChange]:
        """Return what writing ``files`` would change, by path.

        ``earlier`` names further files that a render on another machine may have left, as in a fresh clone. They are
        ours to remove by their header, and only while git has them.
        """
        changes = []
        for path, text in sorted(files.items()):
            before = self.read(path)
            if before != text:
                action: FileAction = "create" if before is None else "update"
                changes.append(FileChange(path=path, action=action, before=before, after=text))
        written = self._state.files if self._state is not None else {}
        changes += self._removals(sorted(written.keys() - files.keys()))
        if changes or self._state is None:
            others = self._removals(sorted(set(earlier) - written.keys() - files.keys()))
            committed = self._committed(others)
            changes += [change for change in others if change.path in committed]
        return changes

    def foreign(self, changes: Iterable[FileChange]) -> list[FileChange]:
        """Return the changes that would overwrite what neither anvil-gen wrote here last nor git has."""
        written = self._state.files if self._state is not None else {}
        others = [
            change
            for change in changes
            if change.before is not None and written.get(change.path) != digest_of(change.before)
        ]
        committed = self._committed(others)
        return [change for change in others if change.path not in committed]

    def other_inventory(self, changes: Iterable[FileChange]) -> str | None:
        """Return the inventory that files here were rendered from, where that is another one."""
        for change in changes:
            first = (change.before or "").partition("\n")[0]
            if first.startswith(HEADER) and not first.startswith(self._header):
                return first.removeprefix(HEADER).partition(". ")[0]
        return None

    def recover(self) -> None:
        """Finish a write that was committed and killed, or drop one that was not.

        Raises:
            DiagnosticError: that cannot be done now.
        """
        if not self._stage.is_dir():
            if self._state is None:
                self._remove_unused()
            return
        try:
            if self._journal.exists():
                self._apply(self._read_journal(), redo=True)
                self._state = _load(self._state_file, _State)
            else:
                self.drop()
        except OSError as error:
            raise DiagnosticError([_unfinished(error, self.path)]) from None

    def stage(self, files: Mapping[str, str], changes: Iterable[FileChange], *, inventory_digest: str) -> None:
        """Get everything ready for the folder to hold ``files``, by the ``changes`` that `compare` found.

        Raises:
            DiagnosticError: something cannot be written. `drop` then leaves the folder as it was.
        """
        digests = {path: digest_of(text) for path, text in files.items()}
        state = _State(version=__version__, inventory=inventory_digest, files=digests)
        changes = list(changes)
        if not changes and state == self._state:
            return
        new = {change.path: change for change in changes if change.after is not None}
        journal = _Journal(
            replace={path: change.before and digest_of(change.before) for path, change in new.items()},
            delete={change.path: digest_of(change.before or "") for change in changes if change.after is None},
            folders=self._missing_folders(path for path, change in new.items() if change.before is None),
        )
        try:
            self._make_stage()
            for number, change in enumerate(new.values()):
                _write(self._stage / str(number), (change.after or "").encode())
            _write(self._stage / "state.json", msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")
            # The last file: from here on, a recovery knows the folders that are made next.
            _write(self._staged_journal, msgspec.json.encode(journal))
            for folder in journal.folders:
                (self.path / folder).mkdir()
        except OSError as error:
            raise DiagnosticError([_cannot_write(error, self.path)]) from None

    def commit(self) -> None:
        """Put in place what `stage` made ready.

        Raises:
            DiagnosticError: not all of it could be; the next `recover` goes on.
        """
        try:
            if not self._staged_journal.exists():  # nothing to write
                return
            self._staged_journal.replace(self._journal)
            self._apply(self._read_journal(), redo=False)
        except OSError as error:
            raise DiagnosticError([_unfinished(error, self.path)]) from None
