"""A fleet as it was at a git ref: its inventories, templates and locks, and the files that those name. No checkout."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.deploy.git import commit_of, committed, files_at
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.inventory.fleet import GROUPS
from anvil_gen.inventory.toml_file import Document
from anvil_gen.patterns import lazy_pattern
from anvil_gen.text_files import LARGEST, read_bytes

TEMPLATES = "templates"
LOCKS = "locks"
FLEET_FOLDERS = (f"{TEMPLATES}/", f"{LOCKS}/", f"{GROUPS}/")
"""Folders of a fleet with files that are no inventories."""
REQUIREMENTS = "requirements.txt"
_PIN = lazy_pattern(r"(?m)^[^#\n]*\banvil[-_]gen\b.*$")


class Snapshot(Struct, frozen=True, kw_only=True):
    """What a fleet is rendered from, at a ref: contents by path, relative to the fleet. ``paths`` has all its files."""

    root: Path
    ref: str
    commit: str
    files: dict[str, bytes]
    paths: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write the files into an empty folder, to be rendered from there."""
        for path, content in self.files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)

    @property
    def inventories(self) -> list[str]:
        """The inventories of that time."""
        return [path for path in self.files if path.endswith(".toml") and not path.startswith(FLEET_FOLDERS)]

    @property
    def changed(self) -> set[str]:
        """The inventories, and the files that they name, that are others now or gone."""
        found = (path for path in self.files if not path.startswith((*FLEET_FOLDERS, REQUIREMENTS)))
        return {path for path in found if self._now(path) != self.files[path]}

    def differing(self, kind: str) -> list[str]:
        """Return the files of a folder that are others now."""
        here = {path: content for path, content in self.files.items() if path.startswith(f"{kind}/")}
        now = {path.relative_to(self.root).as_posix() for path in _below(self.root / kind)}
        if kind == TEMPLATES and not _are_own(self.root):
            return []
        return sorted(path for path in here.keys() | now if path not in now or self._now(path) != here.get(path))

    def _now(self, path: str) -> bytes | None:
        """Return what a file of the fleet holds now; None where there is none, or its link leads elsewhere."""
        with suppress(OSError):
            return read_bytes(self.root / path, below=self.root)
        return None

    @property
    def pins(self) -> tuple[str, str]:
        """The requirement of anvil-gen at the ref, and now; each empty where there is none."""
        texts = self.files.get(REQUIREMENTS, b""), self._now(REQUIREMENTS) or b""
        found = [_PIN.search(text.decode("utf-8", "replace")) for text in texts]
        before, after = ("" if match is None else match[0].strip() for match in found)
        return before, after

    @property
    def is_of_another_program(self) -> bool:
        """Whether something else than this anvil-gen may have rendered the fleet at that time.

        In the program's own repository that is always so: the shipped templates, and the program, are of that commit.
        """
        before, after = self.pins
        return bool(before and before != after) or not _are_own(self.root)

    def texts(self, paths: Iterable[str]) -> dict[str, str]:
        """Return what was committed of files, by path; those that were not are left out."""
        asked = list(paths)
        contents = committed(self.root, asked, self.commit)
        return {
            path: text.decode("utf-8", "replace")
            for path, text in zip(asked, contents, strict=False)
            if text is not None
        }


def snapshot(root: Path, folder: str, ref: str, names: Collection[str]) -> Snapshot:
    """Return a fleet at a ref; ``folder`` is the folder of its inventories, relative to it.

    Of the files that inventories name, those of ``names`` are there.

    Raises:
        DiagnosticError: git knows no such ref.
    """
    commit = commit_of(root, ref)
    if commit is None:
        detail = f'"{ref}" is no commit, branch or tag of the repository of {root.name}'
        remedy = "name one, or fetch it first: a clone of depth 1 has no other commit than its own"
        raise DiagnosticError([Diagnostic(code="unknown-ref", detail=detail, remedy=remedy)])
    sizes = {path: size for path, size in files_at(root, commit).items() if size <= LARGEST}
    prefix = f"{folder}/" if folder else ""
    inventories = [path for path in sizes if path.startswith(prefix) and path.endswith(".toml")]
    inventories = [path for path in inventories if "/" not in path.removeprefix(prefix)]
    kinds = FLEET_FOLDERS if _are_own(root) else tuple(one for one in FLEET_FOLDERS if one != f"{TEMPLATES}/")
    found = _read(root, commit, [*inventories, *(path for path in sizes if path.startswith(kinds))])
    found |= _read(root, commit, [path for path in (REQUIREMENTS,) if path in sizes])
    asked = [path for path in inventories if path.removeprefix(prefix) in names or not (root / path).exists()]
    groups = [path for path in found if path.startswith(f"{GROUPS}/") and path.endswith(".toml")]
    named = _all_named([*asked, *groups], found) & sizes.keys()
    found |= _read(root, commit, sorted(named - found.keys()))
    return Snapshot(root=root, ref=ref, commit=commit, files=found, paths=tuple(sizes))


def _read(root: Path, commit: str, paths: list[str]) -> dict[str, bytes]:
    contents = committed(root, paths, commit) if paths else ()
    return {path: content for path, content in zip(paths, contents, strict=True) if content is not None}


def _all_named(asked: Collection[str], files: Mapping[str, bytes]) -> set[str]:
    """Return the paths that files of TOML could mean, and the hosts that those name, relative to the fleet."""
    hosts = {PurePosixPath(path).stem: path for path in files if not path.startswith((*FLEET_FOLDERS, REQUIREMENTS))}
    found, open_ = set[str](), [*asked]
    seen = {*open_}
    while open_:
        path = open_.pop()
        texts = list(_texts_of(path, files[path]))
        found.update(_paths(path, texts))
        further = {hosts[text] for text in texts if text in hosts} - seen
        seen |= further
        open_ += further
    return found


def _texts_of(path: str, content: bytes) -> Iterator[str]:
    with suppress(DiagnosticError):  # reported when it is rendered
        yield from _texts(Document(Path(path), text=content.decode("utf-8", "replace")).data)


def _paths(inventory: str, texts: Iterable[str]) -> Iterator[str]:
    """Yield the paths that an inventory's texts could mean, relative to the fleet."""
    for text in texts:
        parts: list[str] = []
        for part in (*PurePosixPath(inventory).parent.parts, *PurePosixPath(text).parts):
            if part == ".." and parts:
                parts.pop()
            else:
                parts.append(part)
        yield "/".join(parts)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        yield from value if isinstance(value, dict) else ()
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _are_own(root: Path) -> bool:
    """Tell whether a fleet's templates are its own: those of this program's repository are the shipped ones."""
    folder = root / TEMPLATES
    return not folder.is_dir() or not folder.samefile(shipped_templates())


def _below(folder: Path) -> Iterable[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
