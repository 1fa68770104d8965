"""The deploy tree on disk: what is there, whose it is, and how it is replaced so that nothing is lost.

A write stages all it needs in ``.anvil-gen/stage``, then puts the journal in place (from there on the write counts as
done), then renames file by file. A stage therefore stands there only while a write is under way or was killed:
`DeployFolder.recover` finishes what had been committed, and drops what had not.

One process writes at a time. Reading takes no lock: it is repeated where `DeployFolder.is_current` says that somebody
wrote meanwhile.
"""

import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec
from msgspec import Struct

from anvil_gen import __version__
from anvil_gen.deploy.git import committed
from anvil_gen.deploy.lock import FolderLock
from anvil_gen.deploy.state import Journal, State, load
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path
from anvil_gen.digests import digest_of
from anvil_gen.resolve.resolved_host import Sources

STATE_FOLDER = ".anvil-gen"
HEADER = "# Made by anvil-gen from "

FileAction = Literal["create", "update", "delete"]


class FileChange(Struct, frozen=True, kw_only=True):
    """One file that a write would touch; texts are None where there is no file, and have LF line ends."""

    path: str
    action: FileAction
    before: str | None
    after: str | None


_Trace = tuple[int, int] | None


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
        # It locks by the one file that stands in every state folder and is never replaced.
        self._lock = FolderLock(self._state_folder, ".gitignore", b"*\n")
        self._pending: Journal | None = None
        self._look()

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
            dangling = next((it for it in (place, *place.parents) if it.is_symlink() and not it.exists()), None)
            if dangling is not None:
                raise _in_the_way(dangling, "it is a link to nothing") from None
            return None
        except NotADirectoryError:
            parent = next(parent for parent in place.parents if parent.exists())
            raise _in_the_way(parent, "it is no folder") from None
        except OSError as error:
            # Windows answers "permission denied" where POSIX says "is a directory".
            raise _in_the_way(place, "it is a folder" if place.is_dir() else _reason(error)) from None
        return _text(raw)

    def compare(self, files: Mapping[str, str], earlier: Iterable[str] = ()) -> list[FileChange]:
        """Return what writing ``files`` would change, by path.

        ``earlier`` names further files that a render on another machine may have left, as in a fresh clone: they are
        ours where their header says so.
        """
        changes = []
        for path, text in sorted(files.items()):
            before = self.read(path)
            if before != text:
                action: FileAction = "create" if before is None else "update"
                changes.append(FileChange(path=path, action=action, before=before, after=text))
        written = self._state.files if self._state is not None else {}
        changes += self._removals(sorted(written.keys() - files.keys()))
        if self._state is None or self._unlike_written(changes):
            others = self._removals(sorted(set(earlier) - written.keys() - files.keys()))
            changes += [change for change in others if (change.before or "").startswith(self._header)]
        return changes

    def foreign(self, changes: Iterable[FileChange]) -> list[FileChange]:
        """Return the changes that would overwrite what neither anvil-gen wrote here last nor git has."""
        others = self._unlike_written(changes)
        committed = self._committed(others)
        return [change for change in others if change.path not in committed]

    def other_inventory(self, changes: Iterable[FileChange]) -> str | None:
        """Return the inventory that files here were rendered from, where that is another one."""
        for change in changes:
            first = (change.before or "").partition("\n")[0]
            if first.startswith(HEADER) and not first.startswith(self._header):
                return first.removeprefix(HEADER).partition(". ")[0]
        return None

    def is_current(self) -> bool:
        """Tell whether nobody has written here since the folder was opened, recovered or locked."""
        return self._seen == self._trace()

    def recover(self) -> None:
        """Finish a write that was committed and killed, or drop one that was not; wait for one that is under way.

        Raises:
            DiagnosticError: that cannot be done now.
        """
        if self._seen[0] is None and (self._state is not None or not self._state_folder.is_dir()):
            return
        try:
            self._lock.acquire()
            self._recover()
        except OSError as error:
            # Without a journal the files are whole, and what lies in the stage means nothing.
            if self._journal.exists():
                raise _unfinished(error, self.path) from None
        finally:
            # While the lock is held: afterwards the next write may have begun.
            self._look()
            self._lock.release_unused()

    def lock(self) -> bool:
        """Keep other processes out until `commit` or `drop`; tell whether all is still as it was read.

        Raises:
            DiagnosticError: the folder cannot be written to.
        """
        try:
            self._lock.acquire()
            if self.is_current():
                return True
            self._recover()
        except OSError as error:
            raise _cannot_write(error, self._stage) from None
        self._look()
        return False

    def is_as_rendered(self, sources: Sources) -> bool:
        """Tell, without a render, whether all is as this version wrote it from these sources: what it would write now.

        Raises:
            DiagnosticError: something is there that is no readable file.
        """
        written = self._state
        if written is None or written.version != __version__ or written.sources != sources:
            return False
        return all(_digest_if_there(self.read(path)) == digest for path, digest in written.files.items())

    def is_of_another_version(self, changes: Iterable[FileChange], *, sources: Sources) -> bool:
        """Tell whether all is as another version of anvil-gen wrote it from the same inputs."""
        written = self._state
        if written is None or written.version == __version__ or written.sources.own != sources.own:
            return False
        return not self._unlike_written(changes) and all(self.read(path) is not None for path in written.files)

    def is_written(self, files: Mapping[str, str], changes: Sequence[FileChange], *, sources: Sources) -> bool:
        """Tell whether nothing is to be done for the folder to hold ``files``."""
        return not changes and self._state == _state_of(files, sources)

    def stage(self, files: Mapping[str, str], changes: Sequence[FileChange], *, sources: Sources) -> None:
        """Get everything ready for the folder to hold ``files``, by the ``changes`` that `compare` found.

        Raises:
            DiagnosticError: something cannot be written. `drop` then leaves the folder as it was.
        """
        if self.is_written(files, changes, sources=sources):
            return
        state = _state_of(files, sources)
        new = {change.path: change for change in changes if change.after is not None}
        journal = Journal(
            replace={path: _digest_if_there(change.before) for path, change in new.items()},
            delete={change.path: digest_of(change.before or "") for change in changes if change.after is None},
            folders=self._missing_folders(path for path, change in new.items() if change.before is None),
        )
        self.lock()
        try:
            self._stage.mkdir()
            for number, change in enumerate(new.values()):
                _write(self._stage / str(number), (change.after or "").encode())
            _write(self._stage / "state.json", msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")
            # Its time tells this write from any other: file systems themselves keep time in steps of milliseconds.
            os.utime(self._stage / "state.json", ns=(now := time.time_ns(), now))
            # The last file: from here on, a recovery knows which folders are new.
            _write(self._staged_journal, msgspec.json.encode(journal))
            for folder in journal.folders:
                (self.path / folder).mkdir()
        except OSError as error:
            raise _cannot_write(error, Path(error.filename or self.path)) from None
        self._pending = journal

    def commit(self) -> None:
        """Put in place what `stage` made ready.

        Raises:
            DiagnosticError: not all of it could be; the next `recover` goes on.
        """
        try:
            if self._pending is not None:
                self._staged_journal.replace(self._journal)
                self._apply(self._pending)
        except OSError as error:
            raise _unfinished(error, self.path) from None
        finally:
            self._lock.release()
        self._pending = None

    def drop(self) -> None:
        """Take back what a `stage` without a `commit` has made."""
        if self._lock.held:
            self._drop_stage()
        self._lock.release_unused()
        self._pending = None

    def _look(self) -> None:
        """Read the state; its trace first, so that what is written meanwhile shows as a difference."""
        self._seen = self._trace()
        self._state = load(self._state_file, State)

    def _trace(self) -> tuple[_Trace, _Trace]:
        """Return what is another after any write, and during one."""
        # In this order: a write puts the state in place before its stage goes.
        return _trace(self._stage), _trace(self._state_file)

    def _recover(self) -> None:
        if self._journal.exists():
            self._apply(self._read_journal(), redo=True)
        elif self._stage.is_dir():
            self._drop_stage()

    def _drop_stage(self) -> None:
        journal = load(self._staged_journal, Journal)
        # The folders first: they are known by the journal alone.
        for folder in reversed(journal.folders if journal is not None else []):
            _remove_folder(self.path / folder)
        shutil.rmtree(self._stage, ignore_errors=True)

    def _missing_folders(self, paths: Iterable[str]) -> list[str]:
        missing: set[str] = set()
        for path in paths:
            for folder in PurePosixPath(path).parents[:-1]:
                if str(folder) in missing or (self.path / folder).is_dir():
                    break
                missing.add(str(folder))
        return sorted(missing)

    def _apply(self, journal: Journal, *, redo: bool = False) -> None:
        """Carry out a journal; ``redo`` where an earlier attempt came some way, maybe long ago."""
        for number, (path, before) in enumerate(journal.replace.items()):
            staged, place = self._stage / str(number), self.path / path
            if redo:
                # What somebody has edited since stays, and stops the next render as any hand edit does.
                if not staged.exists() or not self._holds(path, before):
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(place)
        for path, before in journal.delete.items():
            if not redo or self._holds(path, before):
                (self.path / path).unlink(missing_ok=True)
            self._remove_empty(path)
        state = self._stage / "state.json"
        if not redo or state.exists():
            state.replace(self._state_file)
        shutil.rmtree(self._stage)

    def _holds(self, path: str, digest: str | None) -> bool:
        return _digest_if_there(self.read(path)) == digest

    def _remove_empty(self, path: str) -> None:
        """Remove the folders that a deletion left empty; the deploy folder itself stays."""
        for folder in PurePosixPath(path).parents[:-1]:
            _remove_folder(self.path / folder)

    def _read_journal(self) -> Journal:
        journal = load(self._journal, Journal)
        if journal is None:
            detail = "its journal is damaged, or of another version of anvil-gen"
            remedy = f"remove {display_path(self._stage)}, and render again"
            raise _diagnostic("cannot finish an earlier write", detail, remedy, self._journal)
        return journal

    def _removals(self, paths: Iterable[str]) -> list[FileChange]:
        texts = [(path, self.read(path)) for path in paths]
        return [
            FileChange(path=path, action="delete", before=text, after=None) for path, text in texts if text is not None
        ]

    def _unlike_written(self, changes: Iterable[FileChange]) -> list[FileChange]:
        written = self._state.files if self._state is not None else {}
        return [
            change
            for change in changes
            if change.before is not None and written.get(change.path) != digest_of(change.before)
        ]

    def _committed(self, changes: Iterable[FileChange]) -> set[str]:
        """Return which of the files are ours by their header, and as git has committed them."""
        ours = {change.path: change.before for change in changes if (change.before or "").startswith(self._header)}
        if not ours:
            return set()
        texts = (None if raw is None else _text(raw) for raw in committed(self.path, ours))
        return {path for path, text in zip(ours, texts, strict=False) if text == ours[path]}


def _digest_if_there(text: str | None) -> str | None:
    return None if text is None else digest_of(text)


def _state_of(files: Mapping[str, str], sources: Sources) -> State:
    digests = {path: digest_of(text) for path, text in files.items()}
    return State(version=__version__, sources=sources, files=digests)


def _trace(path: Path) -> _Trace:
    """Return what tells a file from another one put in its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:  # noqa: PTH123  as fast as it gets
        file.write(content)


def _remove_folder(folder: Path) -> None:
    with suppress(OSError):  # not empty, or gone
        folder.rmdir()


def _in_the_way(place: Path, what: str) -> DiagnosticError:
    return _diagnostic("something is in the way", what, "move it, and render again", place)


def _cannot_write(error: OSError, place: Path) -> DiagnosticError:
    remedy = "mend that, and render again: what was there is untouched"
    return _diagnostic("cannot write the rendered files", _reason(error), remedy, place)


def _unfinished(error: OSError, folder: Path) -> DiagnosticError:
    remedy = "mend that, and render again to finish it: until then each file is either the old or the new one"
    return _diagnostic("cannot finish a write", _reason(error), remedy, Path(error.filename or folder))


def _diagnostic(summary: str, detail: str, remedy: str, place: Path) -> DiagnosticError:
    return DiagnosticError(
        [Diagnostic(summary=summary, detail=detail, remedy=remedy, location=Location(file=display_path(place)))]
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
