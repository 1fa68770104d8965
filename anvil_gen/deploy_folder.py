"""The deploy tree on disk: what is there, whose it is, and how it is replaced so that nothing is lost.

A write stages every file, then puts a journal in place (from there on the write counts as done), then renames file by
file. `DeployFolder.recover` finishes what a killed process had committed, and drops what it had not.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from anvil_gen import __version__
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location

STATE_FOLDER = ".anvil-gen"
HEADER = "# Made by anvil-gen from "
_FORMAT = 1

FileAction = Literal["create", "update", "delete"]


class FileChange(Struct, frozen=True, kw_only=True):
    """One file that a write would touch; texts are None where there is no file."""

    path: str
    action: FileAction
    before: str | None
    after: str | None


class DeployFolder:
    """One host's folder of rendered files."""

    def __init__(self, path: Path, *, inventory: str) -> None:
        """Take the folder at ``path``, whose files' headers name ``inventory``. It need not exist."""
        self.path = path
        self._inventory = inventory
        self._state_folder = path / STATE_FOLDER
        self._stage = self._state_folder / "stage"
        self._journal = self._state_folder / "journal.json"
        self._state_file = self._state_folder / "state.json"

    def compare(self, files: Mapping[str, str]) -> list[FileChange]:
        """Return what writing ``files`` would change, by path."""
        changes = []
        for path, text in sorted(files.items()):
            before = self._read(path)
            if before is None:
                changes.append(FileChange(path=path, action="create", before=None, after=text))
            elif before.replace("\r\n", "\n") != text:
                changes.append(FileChange(path=path, action="update", before=before, after=text))
        for path in self._stale(files):
            changes.append(FileChange(path=path, action="delete", before=self._read(path), after=None))
        return changes

    def foreign(self, changes: list[FileChange]) -> list[FileChange]:
        """Return the changes that would overwrite what neither anvil-gen wrote here last nor git has."""
        written = self._state().get("files", {})
        return [
            change
            for change in changes
            if change.before is not None
            and written.get(change.path) != _sha256(change.before)
            and not self._committed(change.path, change.before)
        ]

    def recover(self) -> None:
        """Finish a write that was committed and killed, or drop one that was not."""
        if self._journal.is_file():
            self._apply(json.loads(self._journal.read_text("utf-8")))
        elif self._stage.is_dir():
            shutil.rmtree(self._stage)

    def write(self, files: Mapping[str, str], changes: list[FileChange], *, inventory_digest: str) -> None:
        """Make the folder hold ``files``, by the ``changes`` that `compare` found.

        Raises:
            DiagnosticError: a file cannot be written; the folder is as it was.
        """
        state = {
            "format": _FORMAT,
            "version": __version__,
            "inventory": inventory_digest,
            "files": {path: _sha256(text) for path, text in sorted(files.items())},
        }
        if not changes and self._state() == state:
            return
        try:
            self._prepare(changes, state)
            self._apply(json.loads(self._journal.read_text("utf-8")))
        except OSError as error:
            self._cannot_write(error)

    def _prepare(self, changes: list[FileChange], state: dict[str, Any]) -> None:
        self._stage.mkdir(parents=True, exist_ok=True)
        ignore = self._state_folder / ".gitignore"
        if not ignore.exists():
            _write_text(ignore, "*\n")
        for change in changes:
            if change.after is not None:
                self._refuse_folder(change.path)
                _write_text(self._stage / change.path, change.after)
        journal = {
            "replace": [change.path for change in changes if change.after is not None],
            "delete": [change.path for change in changes if change.after is None],
            "state": state,
        }
        _write_text(self._stage / "journal", json.dumps(journal))
        (self._stage / "journal").replace(self._journal)

    def _refuse_folder(self, path: str) -> None:
        """Find out before the commit what a rename could not do."""
        target = self.path / path
        if target.is_dir():
            raise IsADirectoryError(21, "a folder is in the way", str(target))
        target.parent.mkdir(parents=True, exist_ok=True)

    def _apply(self, journal: Mapping[str, Any]) -> None:
        for path in journal["replace"]:
            staged = self._stage / path
            if staged.exists():  # not so where an earlier attempt came this far
                (self.path / path).parent.mkdir(parents=True, exist_ok=True)
                staged.replace(self.path / path)
        for path in journal["delete"]:
            (self.path / path).unlink(missing_ok=True)
            self._remove_empty((self.path / path).parent)
        _write_text(self._stage / "state", json.dumps(journal["state"], indent=1))
        (self._stage / "state").replace(self._state_file)
        self._journal.unlink()
        shutil.rmtree(self._stage)

    def _remove_empty(self, folder: Path) -> None:
        """Remove folders that a deletion left empty; the deploy folder itself stays."""
        while folder != self.path and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    def _cannot_write(self, error: OSError) -> None:
        """Drop the stage of a write that failed before its commit, and say what failed."""
        if not self._journal.exists():
            shutil.rmtree(self._stage, ignore_errors=True)
        place = Path(error.filename) if error.filename else self.path
        raise DiagnosticError(
            [
                Diagnostic(
                    summary="cannot write the rendered files",
                    detail=(error.strerror or str(error)).lower(),
                    remedy="mend that and render again; what was there is untouched",
                    location=Location(file=str(place)),
                )
            ]
        ) from None

    def _read(self, path: str) -> str | None:
        try:
            return (self.path / path).read_bytes().decode("utf-8", "surrogateescape")
        except OSError:
            return None

    def _state(self) -> dict[str, Any]:
        try:
            state = json.loads(self._state_file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) and state.get("format") == _FORMAT else {}

    def _stale(self, files: Mapping[str, str]) -> Iterator[str]:
        """Yield files of an earlier render that the tree has no more."""
        written = self._state().get("files")
        if written is not None:
            yield from (path for path in sorted(written) if path not in files and (self.path / path).is_file())
            return
        # Never rendered on this machine, say in a fresh clone: ours by the header, and safe to remove since git has it.
        for path in sorted(self._with_header()):
            text = self._read(path)
            if path not in files and text is not None and self._committed(path, text):
                yield path

    def _with_header(self) -> Iterator[str]:
        mine = f"{HEADER}{self._inventory}. "
        for pattern in ("*.yml", "tiers/*.yml", "router/**/*"):
            for found in self.path.glob(pattern):
                path = found.relative_to(self.path).as_posix()
                if found.is_file() and (self._read(path) or "").startswith(mine):
                    yield path

    def _committed(self, path: str, text: str) -> bool:
        """Tell whether a file with our header is as git has committed it."""
        if not text.startswith(HEADER):
            return False
        import subprocess  # noqa: PLC0415  only where a file is not as we last wrote it

        def git(*arguments: str) -> bool:
            command = ["git", "-C", str(self.path), *arguments, "--", path]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603

        try:
            return git("ls-files", "--error-unmatch") and git("diff", "--quiet", "HEAD")
        except OSError:  # no git on this machine
            return False


def digest_of(text: str) -> str:
    """Return the SHA-256 by which the state names an inventory."""
    return _sha256(text)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123  as fast as it gets
        file.write(text)
