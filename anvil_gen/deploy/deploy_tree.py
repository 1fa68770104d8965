"""The deploy tree on disk: what is there, whose it is, and how it is replaced so that nothing is lost.

A write first puts each new text into a temporary file next to the one that it is for, then renames file by file. What
is written and removed follows from what is rendered; the state, one small file, is only compared with. While a write is
under way, the state says so, and knows the old files and the new ones: after a kill, the next write goes on from there.

One process writes at a time. Reading takes no lock: it is repeated where `DeployTree.is_current` says that somebody
wrote in the meantime.
"""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen import __version__
from anvil_gen.deploy.contained_folder import ContainedFolder, is_temporary, reason, temporary_name
from anvil_gen.deploy.git import committed, merged
from anvil_gen.deploy.lock import FolderLock
from anvil_gen.deploy.state import State, decode
from anvil_gen.deploy.write_order import Step, write_steps
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path
from anvil_gen.digests import digest_of
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.host import Sources
from anvil_gen.resolve.output import HEADER

STATE_FOLDER = ".anvil-gen"
_STATE = f"{STATE_FOLDER}/state.json"

_FOLDERS = ("tiers", "services", "router")
_PLACE = lazy_pattern(
    r"docker-compose(?:\.[^/]+)?\.yml|\.env\.example|(?:tiers|services)/[^/]+(?:\.yml|\.files/.+)|router/.+"
)
"""Where the files of a tree are; a router's own, such as `serves.toml`, are named by its data."""


class Places(NamedTuple):
    """Where the files of a folder can be: the folders in it, and the paths; of a folder that is entered, with `/.`."""

    folders: tuple[str, ...] = _FOLDERS
    pattern: re.Pattern[str] = _PLACE


_WITHOUT_HEADER = lazy_pattern(r"router/[^/]+\.json")
_DEEPEST = 32  # no file of a tree is in as many folders

FileAction = Literal["create", "update", "delete"]


class FileChange(Struct, frozen=True, kw_only=True):
    """One file that a write would touch; texts are None where there is no file, and have LF line ends."""

    path: str
    action: FileAction
    before: str | None
    after: str | None


_Trace = tuple[int, int] | None


class DeployTree:
    """One host's folder of rendered files."""

    def __init__(self, path: Path, *, inventory: str, places: Places = Places()) -> None:  # noqa: B008  immutable
        """Take the folder at ``path``, whose files' headers name ``inventory``. It need not exist.

        Raises:
            DiagnosticError: something is in the state's place that is no readable file.
        """
        self.path = path
        self._places = places
        self._header = f"{HEADER}{inventory}. "
        self._folder = ContainedFolder(path)
        # By the one file that stands in every state folder and is never replaced.
        self._lock = FolderLock(self._folder, f"{STATE_FOLDER}/.gitignore", b"*\n")
        self._steps: list[Step] = []
        self._look()
        if self._state is not None and not self._state.is_finished:
            self._lock.wait()
            self._look()

    def read(self, path: str, wanted: str | None = None) -> str | None:
        """Return the text of a file; None where there is nothing.

        Its line ends are LF, whatever a checkout made of them, unless it is exactly what was written, or is ``wanted``.

        Raises:
            DiagnosticError: something is there that is no readable file.
        """
        raw = self._folder.read(path)
        if raw is None:
            return None
        exact = _decoded(raw)
        return exact if exact == wanted or self._has_written(path, exact) else _text(raw)

    def compare(self, files: Mapping[str, str], names: Callable[[], Collection[str]] = tuple) -> list[FileChange]:
        """Return what writing ``files`` would change, by path.

        What a render on another host has left, as in a fresh clone, is ours where its header says so. ``names``
        returns further files next to the root file that some render could have made.
        """
        with self._folder:
            changes = [*self._replacements(files)]
            others = sorted(path for path in self._listing() if path not in files and self._is_place(path, names))
            written = self._state.paths if self._state is not None else set()
            changes += self._removals(path for path in others if path in written)
            if self._state is None or self._unlike_written(changes):
                unknown = self._removals(path for path in others if path not in written)
                changes += [change for change in unknown if self._says_whose(change)]
        return changes

    def _is_place(self, path: str, names: Callable[[], Collection[str]]) -> bool:
        """Tell whether a file of the folder can be there."""
        if is_temporary(path):
            return False
        return self._places.pattern.fullmatch(path) is not None or ("/" not in path and path in names())

    def _says_whose(self, change: FileChange) -> bool:
        """Tell whether a file is said to be from this inventory: JSON has no comments, and the folder says it."""
        return (change.before or "").startswith(self._header) or _WITHOUT_HEADER.fullmatch(change.path) is not None

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
        """Tell whether nobody has written here since the folder was opened or locked."""
        return self._seen == self._trace()

    @property
    def was_written(self) -> bool:
        """Tell whether a write has come to its end here."""
        return self._state is not None and self._state.is_finished

    @property
    def is_locked(self) -> bool:
        """Tell whether this process keeps others out."""
        return self._lock.held

    def lock(self) -> bool:
        """Keep other processes out until `commit` or `drop`; tell whether all is still as it was read.

        Raises:
            DiagnosticError: the folder cannot be written to.
        """
        try:
            self._lock.acquire()
        except OSError as error:
            raise _cannot_write(error, self.path / STATE_FOLDER) from None
        if self.is_current():
            return True
        self._look()
        return False

    def is_as_rendered(self, sources: Sources) -> bool:
        """Tell, without a render, whether all is as this version wrote it from these sources: what it would write now.

        Raises:
            DiagnosticError: something is there that is no readable file.
        """
        written = self._state
        if written is None or not written.is_finished or written.version != __version__ or written.sources != sources:
            return False
        with self._folder:
            return all(_digest_if_there(self.read(path)) == digest for path, digest in written.files.items())

    def is_of_another_version(self, changes: Iterable[FileChange], *, sources: Sources) -> bool:
        """Tell whether all is as another version of anvil-gen wrote it from the same inputs."""
        written = self._state
        if written is None or not written.is_finished:
            return False
        if written.version == __version__ or written.sources.own != sources.own:
            return False
        return not self._unlike_written(changes) and all(self.read(path) is not None for path in written.files)

    def is_of_other_sources(self, sources: Sources) -> bool:
        """Tell whether the last write here was from another inventory, or from other files besides it."""
        return self._state is not None and self._state.is_finished and self._state.sources.own != sources.own

    def is_written(self, files: Mapping[str, str], changes: Sequence[FileChange], *, sources: Sources) -> bool:
        """Tell whether nothing is to be done for the folder to hold ``files``."""
        return not changes and self._state == _state_of(files, sources) and not self._left_over()

    def stage(self, files: Mapping[str, str], changes: Sequence[FileChange], *, sources: Sources) -> None:
        """Get everything ready for the folder, which is locked, to hold ``files``, by the changes from what is there.

        Raises:
            DiagnosticError: something cannot be written. `drop` then leaves the files as they were.
        """
        if self.is_written(files, changes, sources=sources):
            return
        with self._folder:
            left_over = self._left_over()
            # What a root file may include stays until the last step.
            copies = {path for path in left_over if path.endswith(".yml")}
            for path in left_over - copies:
                self._folder.remove(path)
            for step in self._write_steps(files, changes, sources, copies):
                self._stage(step)
                self._steps.append(step)

    def commit(self) -> None:
        """Put in place what `stage` made ready.

        Raises:
            DiagnosticError: not all of it could be; the next write goes on.
        """
        try:
            with self._folder:
                for step in self._steps[:-1]:
                    self._apply(step)
                if self._steps:
                    self._remove_empty_folders()
                    self._apply(self._steps[-1])
        finally:
            self._lock.release()
        self._steps = []

    def drop(self) -> None:
        """Take back what a `stage` without a `commit` has made."""
        if self._lock.held:
            for step in self._steps:
                if step.text is not None:
                    with suppress(OSError):
                        self._folder.remove(_temporary(step))
        self._lock.release_unused()
        self._steps = []

    def _look(self) -> None:
        """Read the state; its trace first, so that what is written in the meantime shows as a difference."""
        self._seen = self._trace()
        self._state = decode(self._folder.read(_STATE))

    def _trace(self) -> _Trace:
        """Return what distinguishes the state from another one put in its place, as each write does twice."""
        try:
            found = self._folder.stat(_STATE)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _listing(self) -> Iterator[str]:
        """Yield the files that are where files of a tree are, by path."""
        return chain.from_iterable(files for _, files in self._walk())

    def _walk(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the folders that can have files of a tree, each with its files and before those in it."""
        folders = ["", STATE_FOLDER, *self._places.folders]
        for folder in folders:
            entries = [(f"{folder}/{name}".lstrip("/"), kind) for name, kind in self._folder.entries(folder)]
            yield folder, [path for path, is_folder in entries if not is_folder]
            if folder and folder.count("/") < _DEEPEST:
                folders += (
                    path for path, is_folder in entries if is_folder and self._places.pattern.fullmatch(f"{path}/.")
                )

    def _remove_empty_folders(self) -> None:
        for folder in reversed([folder for folder, _ in self._walk() if folder]):
            self._folder.remove_folder(folder)

    def _left_over(self) -> set[str]:
        """Return the temporary files of a write that was killed."""
        return {path for path in self._listing() if is_temporary(path)}

    def _write_steps(
        self, files: Mapping[str, str], changes: Sequence[FileChange], sources: Sources, left_over: set[str]
    ) -> list[Step]:
        """Return all that a write does, the state first and last."""
        paths: dict[FileAction, set[str]] = {"create": set(), "update": set(), "delete": set()}
        for change in changes:
            paths[change.action].add(change.path)
        steps = [*write_steps(files, created=paths["create"], updated=paths["update"], removed=paths["delete"])]
        steps += [Step(path, None) for path in sorted(left_over.difference(step.path for step in steps))]
        after = _state_of(files, sources)
        during = replace(after, unfinished=self._possible(changes, steps))
        return [Step(_STATE, during.encode()), *steps, Step(_STATE, after.encode())]

    def _possible(self, changes: Iterable[FileChange], steps: Iterable[Step]) -> dict[str, list[str]]:
        """Return what may be in each file from the first step to the last, by digest."""
        found: dict[str, set[str]] = defaultdict(set)
        for change in changes:
            found[change.path] |= self._state.digests(change.path) if self._state is not None else set()
            found[change.path] |= {digest_of(change.before)} if change.before is not None else set()
        for step in steps:
            found[step.path] |= {digest_of(step.text)} if step.text is not None else set()
        return {path: sorted(digests) for path, digests in sorted(found.items())}

    def _stage(self, step: Step) -> None:
        """Write a step's text next to its file."""
        if step.text is None:
            return
        try:
            # Its time distinguishes a state from any other: file systems themselves keep time in steps of milliseconds.
            time_ns = time.time_ns() if step.path == _STATE else None
            self._folder.create(_temporary(step), step.text.encode("utf-8", "surrogateescape"), time_ns=time_ns)
        except OSError as error:
            raise _cannot_write(error, self.path / step.path) from None

    def _apply(self, step: Step) -> None:
        try:
            if step.text is None:
                self._folder.remove(step.path)
            else:
                self._folder.rename(_temporary(step), step.path)
        except OSError as error:
            raise _unfinished(error, self.path / step.path) from None

    def _replacements(self, files: Mapping[str, str]) -> Iterator[FileChange]:
        for path, text in sorted(files.items()):
            before = self.read(path, text)
            if before != text:
                action: FileAction = "create" if before is None else "update"
                yield FileChange(path=path, action=action, before=before, after=text)

    def _removals(self, paths: Iterable[str]) -> Iterator[FileChange]:
        for path in paths:
            before = self.read(path)
            if before is not None:
                yield FileChange(path=path, action="delete", before=before, after=None)

    def _unlike_written(self, changes: Iterable[FileChange]) -> list[FileChange]:
        return [change for change in changes if change.before is not None and not self._knows(change)]

    def _knows(self, change: FileChange) -> bool:
        return self._has_written(change.path, change.before or "")

    def _has_written(self, path: str, text: str) -> bool:
        return self._state is not None and digest_of(text) in self._state.digests(path)

    def _committed(self, changes: Iterable[FileChange]) -> set[str]:
        """Return which of the files are ours by their header, and as git has committed or merged them."""
        ours = {change.path: change.before or "" for change in changes if self._says_whose(change)}
        if not ours:
            return set()
        texts = (None if raw is None else _text(raw) for raw in committed(self.path, ours))
        found = {path for path, text in zip(ours, texts, strict=False) if text == ours[path]}
        return found.union(merged(self.path, {path: text for path, text in ours.items() if path not in found}))


def _temporary(step: Step) -> str:
    """Return the path of the file that holds a step's text until it is put in place."""
    folder, slash, name = step.path.rpartition("/")
    return f"{folder}{slash}{temporary_name(name, step.text or '')}"


def _digest_if_there(text: str | None) -> str | None:
    return None if text is None else digest_of(text)


def _state_of(files: Mapping[str, str], sources: Sources) -> State:
    digests = {path: digest_of(text) for path, text in files.items()}
    return State(version=__version__, sources=sources, files=digests)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return _decoded(raw).replace("\r\n", "\n")


def _cannot_write(error: OSError, place: Path) -> DiagnosticError:
    remedy = "fix that, and render again: no file has been changed"
    return _diagnostic("cannot-write-the-rendered-files", error, remedy, place)


def _unfinished(error: OSError, place: Path) -> DiagnosticError:
    remedy = "fix that, and render again to finish it: until then each file is either the old or the new one"
    return _diagnostic("cannot-finish-a-write", error, remedy, place)


def _diagnostic(code: str, error: OSError, remedy: str, place: Path) -> DiagnosticError:
    location = Location(file=display_path(place))
    return DiagnosticError([Diagnostic(code=code, detail=reason(error), remedy=remedy, location=location)])
