"""The deploy tree on disk: what is there, whose it is, and how it is replaced so that nothing is lost.

A write stages all it needs in ``.anvil-gen/stage``, then puts the journal in place (from there on the write counts as
done), then renames file by file. A stage therefore stands there only while a write is under way or was killed:
`DeployFolder.recover` finishes what had been committed, and drops what had not.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from anvil_gen import __version__
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location
from anvil_gen.fleet import shown

STATE_FOLDER = ".anvil-gen"
HEADER = "# Made by anvil-gen from "

FileAction = Literal["create", "update", "delete"]


class FileChange(Struct, frozen=True, kw_only=True):
    """One file that a write would touch; texts are None where there is no file, and have LF line ends."""

    path: str
    action: FileAction
    before: str | None
    after: str | None


class _State(Struct, frozen=True, kw_only=True):
    """What was last written on this machine, and from what."""

    format: Literal[1] = 1
    version: str
    inventory: str
    files: dict[str, str]


class _Journal(Struct, frozen=True, kw_only=True):
    """A write: files by the digest of what it expects in their place, and the folders that it makes.

    The new text of a file is staged under its number in ``replace``.
    """

    format: Literal[1] = 1
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
        self._pending: _Journal | None = None
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
        except NotADirectoryError:
            parent = next(parent for parent in place.parents if parent.exists())
            raise DiagnosticError([_in_the_way(parent, "it is no folder")]) from None
        except OSError as error:
            # Windows answers "permission denied" where POSIX says "is a directory".
            what = "it is a folder" if place.is_dir() else (error.strerror or str(error)).lower()
            raise DiagnosticError([_in_the_way(place, what)]) from None
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
            replace={path: _digest_if_there(change.before) for path, change in new.items()},
            delete={change.path: digest_of(change.before or "") for change in changes if change.after is None},
            folders=self._missing_folders(path for path, change in new.items() if change.before is None),
        )
        try:
            self._make_stage()
            for number, change in enumerate(new.values()):
                _write(self._stage / str(number), (change.after or "").encode())
            _write(self._stage / "state.json", msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")
            # The last file: from here on, a recovery knows which folders are new.
            _write(self._staged_journal, msgspec.json.encode(journal))
            for folder in journal.folders:
                (self.path / folder).mkdir()
        except OSError as error:
            raise DiagnosticError([_cannot_write(error, self.path)]) from None
        self._pending = journal

    def commit(self) -> None:
        """Put in place what `stage` made ready.

        Raises:
            DiagnosticError: not all of it could be; the next `recover` goes on.
        """
        if self._pending is None:
            return
        try:
            self._staged_journal.replace(self._journal)
            self._apply(self._pending)
        except OSError as error:
            raise DiagnosticError([_unfinished(error, self.path)]) from None
        self._pending = None

    def drop(self) -> None:
        """Take back what a `stage` without a `commit` has made."""
        journal = _load(self._staged_journal, _Journal)
        shutil.rmtree(self._stage, ignore_errors=True)
        for folder in reversed(journal.folders if journal is not None else []):
            _remove_folder(self.path / folder)
        self._remove_unused()
        for made in reversed(self._made):
            _remove_folder(made)
        self._pending = None

    def _make_stage(self) -> None:
        try:
            self._stage.mkdir()
        except FileNotFoundError:
            missing = [folder for folder in (self._stage, *self._stage.parents) if not folder.exists()]
            for folder in reversed(missing):
                folder.mkdir()
                self._made.append(folder)
        if self._state is None:
            _write(self._state_folder / ".gitignore", b"*\n")

    def _missing_folders(self, paths: Iterable[str]) -> list[str]:
        missing: set[str] = set()
        for path in paths:
            for folder in PurePosixPath(path).parents[:-1]:
                if str(folder) in missing or (self.path / folder).is_dir():
                    break
                missing.add(str(folder))
        return sorted(missing)

    def _apply(self, journal: _Journal, *, redo: bool = False) -> None:
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

    def _remove_unused(self) -> None:
        """Remove the state folder of a folder that was never written."""
        with suppress(OSError):
            if os.listdir(self._state_folder) == [".gitignore"]:  # noqa: PTH208
                (self._state_folder / ".gitignore").unlink()
            self._state_folder.rmdir()

    def _read_journal(self) -> _Journal:
        journal = _load(self._journal, _Journal)
        if journal is None:
            raise DiagnosticError(
                [
                    Diagnostic(
                        summary="cannot finish an earlier write",
                        detail="its journal is damaged, or of another version of anvil-gen",
                        remedy=f"remove {shown(self._stage)}, and render again",
                        location=Location(file=shown(self._journal)),
                    )
                ]
            )
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
        import subprocess  # noqa: PLC0415  only where a file is not as we last wrote it

        # Set in a hook: they would point git away from the folder.
        environment = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
        # Git's objects and not its index: that may say "unchanged" of what a user told it not to look at.
        command = ["git", "-C", str(self.path), "cat-file", "--batch"]
        asked = "".join(f"HEAD:./{path}\n" for path in ours).encode()
        try:
            answer = subprocess.run(command, input=asked, env=environment, capture_output=True, check=False).stdout  # noqa: S603
        except OSError:  # no git on this machine
            return set()
        return {path for path, text in zip(ours, _blobs(answer), strict=False) if text == ours[path]}


def digest_of(text: str) -> str:
    """Return the SHA-256 by which the state names a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _digest_if_there(text: str | None) -> str | None:
    return None if text is None else digest_of(text)


def _blobs(answer: bytes) -> Iterator[str | None]:
    """Yield the texts in an answer of ``git cat-file --batch``; None for what git does not have."""
    while answer:
        head, _, answer = answer.partition(b"\n")
        words = head.split()
        if len(words) != 3 or words[1] != b"blob":
            yield None
            continue
        size = int(words[2])
        yield _text(answer[:size])
        answer = answer[size + 1 :]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def _load(path: Path, kind: type[_Stored]) -> _Stored | None:
    """Return a file of the state folder; None where it is missing, damaged, or names a file outside."""
    try:
        stored: _Stored = msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    names = stored.files if isinstance(stored, _State) else [*stored.replace, *stored.delete, *stored.folders]
    return stored if all(map(_is_inside, names)) else None


def _is_inside(path: str) -> bool:
    windows = PureWindowsPath(path)  # knows both separators, and drives
    return not windows.anchor and ".." not in windows.parts


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:  # noqa: PTH123  as fast as it gets
        file.write(content)


def _remove_folder(folder: Path) -> None:
    with suppress(OSError):  # not empty, or gone
        folder.rmdir()


def _in_the_way(place: Path, what: str) -> Diagnostic:
    return Diagnostic(
        summary="something is in the way",
        detail=what,
        remedy="move it, and render again",
        location=Location(file=shown(place)),
    )


def _cannot_write(error: OSError, folder: Path) -> Diagnostic:
    return Diagnostic(
        summary="cannot write the rendered files",
        detail=(error.strerror or str(error)).lower(),
        remedy="mend that, and render again: what was there is untouched",
        location=Location(file=shown(Path(error.filename) if error.filename else folder)),
    )


def _unfinished(error: OSError, folder: Path) -> Diagnostic:
    return Diagnostic(
        summary="cannot finish a write",
        detail=(error.strerror or str(error)).lower(),
        remedy="mend that, and render again to finish it: until then each file is either the old or the new one",
        location=Location(file=shown(Path(error.filename) if error.filename else folder)),
    )
