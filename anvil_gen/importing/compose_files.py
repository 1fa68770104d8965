"""Compose files as they are written: every file of a project put together, the variables left as they are."""

from __future__ import annotations

import json
import os.path
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path
from anvil_gen.host_paths import is_absolute
from anvil_gen.importing.compose_merge import extended, merged, untagged
from anvil_gen.importing.texts import interpolation_error, plain
from anvil_gen.importing.yaml_reader import Document, read_yaml
from anvil_gen.inventory.compose_spec import NEWER, Network, Service, Volume
from anvil_gen.inventory.struct_errors import StructError, decode_valid
from anvil_gen.resolve.relative_paths import moved_texts
from anvil_gen.text_files import read_text
from anvil_gen.values import KeyPath, address

SECTIONS = ("services", "networks", "volumes", "secrets", "configs")
_KINDS: Mapping[str, Any] = {"services": Service, "networks": Network, "volumes": Volume}
_DEEPEST = 20


class Project(Struct, frozen=True, kw_only=True):
    """A project of Compose: its tables, and where their keys are written."""

    name: str
    folder: Path  # what relative paths mean
    files: tuple[str, ...]  # as they are told to Compose
    text: str | None  # of the one file, where that is no file
    tables: Mapping[str, dict[str, Any]]
    places: Mapping[KeyPath, tuple[str, int]]
    comments: Mapping[KeyPath, list[str]]
    extensions: tuple[str, ...] = ()  # keys of the file that are no section
    lost: tuple[str, ...] = ()  # what no compose file says

    def location(self, path: KeyPath) -> Location | None:
        """Return where a key is written, or the table that it is in."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                file, line = self.places[path[:end]]
                return Location(file=file, line=line)
        return None


def read_project(files: Sequence[Path], *, text: str | None = None, folder: Path | None = None) -> Project:
    """Return the project of compose files, or of the text of one.

    Raises:
        DiagnosticError: one cannot be read, or is no compose file; with every line that is wrong.
    """
    base = folder or (files[0].parent if files else Path())
    reader = _Files(base)
    documents = (
        [reader.document(text, "-")]
        if text is not None
        else [reader.document(file_text(file), display_path(file)) for file in files]
    )
    whole: dict[str, Any] = {}
    for document, shown in documents:
        whole = merged(whole, reader.with_included(document.data, base, shown))
    project = Project(
        name=project_name(whole.get("name"), base),
        folder=base,
        files=tuple(str(file) for file in files),
        text=text,
        tables={section: _table(whole, section) for section in SECTIONS},
        places=reader.places,
        comments=reader.comments,
        extensions=tuple(key for key in whole if key not in (*SECTIONS, "name", "version", "include")),
    )
    _check(project)
    return project


def project_of(
    *, name: str, folder: Path, tables: Mapping[str, Any], shown: str, lines: Mapping[str, int], lost: Sequence[str]
) -> Project:
    """Return the project of services that are in no compose file; ``lines`` are those of the services.

    Raises:
        DiagnosticError: Compose would refuse one.
    """
    whole = {section: dict(tables.get(section, {})) for section in SECTIONS}
    project = Project(
        name=name,
        folder=folder,
        files=(),
        text=json.dumps({"name": name, **{section: table for section, table in whole.items() if table}}),
        tables=whole,
        places={("services", service): (shown, line) for service, line in lines.items()},
        comments={},
        lost=tuple(lost),
    )
    _check(project)
    return project


def file_text(file: Path) -> str:
    """Return the text of a source.

    Raises:
        DiagnosticError: it cannot be read.
    """
    try:
        return read_text(file)
    except OSError as error:
        raise _error(display_path(file), (error.strerror or str(error)).lower(), code="cannot-read-the-file") from None


def _error(file: str, detail: str, line: int | None = None, code: str = "no-compose-file") -> DiagnosticError:
    return DiagnosticError([Diagnostic(code=code, detail=detail, location=Location(file=file, line=line))])


def _table(whole: Mapping[str, Any], section: str) -> dict[str, Any]:
    found = whole.get(section) or {}
    return {
        str(name): {} if value is None else value for name, value in found.items() if not str(name).startswith("x-")
    }


def project_name(written: Any, folder: Path) -> str:
    """Return the project's name as Compose makes it: letters, digits, `-` and `_`."""
    name = plain(written) if written else folder.resolve().name
    return re.sub("[^a-z0-9_-]", "", name.lower()).lstrip("_-")[:63] or "imported"


class _Files:
    """Reads files, and keeps where their keys are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.places: dict[KeyPath, tuple[str, int]] = {}
        self.comments: dict[KeyPath, list[str]] = {}

    def document(self, text: str, shown: str) -> tuple[Document, str]:
        document = read_yaml(text, shown)
        if not isinstance(document.data, dict):
            raise _error(shown, "it is no mapping", 1)
        for section in ("include", *SECTIONS):
            found = untagged(document.data.get(section))
            if found is not None and not isinstance(found, list if section == "include" else dict):
                raise _error(shown, f'"{section}" is no mapping', document.lines.get((section,)))
        self.places |= {path: (shown, line) for path, line in document.lines.items() if path not in self.places}
        self.comments |= {path: lines for path, lines in document.comments.items() if path not in self.comments}
        return document, shown

    def with_included(self, data: Mapping[str, Any], folder: Path, shown: str, depth: int = 0) -> dict[str, Any]:
        """Return the tables of a file with those that it includes, and with what its services extend."""
        if depth > _DEEPEST:
            raise _error(shown, "its files include each other")
        found: dict[str, Any] = {}
        for entry in untagged(data.get("include")) or ():
            found = merged(found, self._included(entry, folder, depth))
        own = {key: value for key, value in data.items() if key != "include"}
        services = data.get("services")
        if isinstance(services, dict):
            own["services"] = {name: self._extended(services, name, folder, shown) for name in services}
        return dict(merged(found, own)) if found else own

    def _included(self, entry: Any, folder: Path, depth: int) -> dict[str, Any]:
        table = entry if isinstance(entry, dict) else {"path": entry}
        paths = table.get("path")
        files = [folder / str(path) for path in (paths if isinstance(paths, list) else [paths])]
        base = folder / str(table["project_directory"]) if table.get("project_directory") else files[0].parent
        whole: dict[str, Any] = {}
        for file in files:
            document, shown = self.document(file_text(file), display_path(file))
            whole = merged(whole, self.with_included(document.data, base, shown, depth + 1))
        return {section: self._moved(untagged(whole.get(section)), base, folder) for section in SECTIONS}

    def _moved(self, tables: Any, base: Path, folder: Path) -> Any:
        """Return tables of another folder with their relative paths as those of this one."""
        way = Path(_relative(base, folder)).as_posix()

        def move(path: str) -> str:
            return _below(way, path)

        return {name: moved_texts(table, move) for name, table in (tables or {}).items()}

    def _extended(self, services: Mapping[str, Any], name: str, folder: Path, shown: str, depth: int = 0) -> Any:
        def other(file: str, base: str) -> Mapping[str, Any]:
            if depth > _DEEPEST:
                raise LookupError(f'"{name}" extends itself')
            path = folder / file
            document = read_yaml(file_text(path), display_path(path))
            found = untagged(document.data.get("services")) if isinstance(document.data, dict) else None
            table = self._extended(found or {}, base, path.parent, display_path(path), depth + 1)
            return self._moved({base: table}, path.parent, folder)[base] or {}

        try:
            return extended(services, name, other)
        except LookupError as error:
            where = self.places.get(("services", name), (shown, 0))
            raise _error(shown, str(error.args[0]), where[1] or None) from None


def _relative(base: Path, folder: Path) -> str:
    return os.path.relpath(base, folder)


def _below(way: str, path: str) -> str:
    if not path or path.startswith("~") or is_absolute(path) or "$" in path.split("/", maxsplit=1)[0]:
        return path
    found = posixpath.normpath(posixpath.join(way, path))
    return found if found.startswith("..") else f"./{found}"


def _check(project: Project) -> None:
    """Refuse what Compose would, with its line."""
    errors = [error for section in _KINDS for error in _errors(project, section)]
    errors += _unreadable(project, dict(project.tables), ())
    if errors:
        raise DiagnosticError(errors)


def _unreadable(project: Project, value: Any, path: KeyPath) -> Iterator[Diagnostic]:
    """Yield the texts with variables that Compose cannot read."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _unreadable(project, item, (*path, key))
    problem = interpolation_error(value) if isinstance(value, str) and "${" in value else ""
    if problem:
        where = project.location(path)
        yield Diagnostic(code="no-compose-file", detail=problem, address=address(path), location=where)


def _errors(project: Project, section: str) -> Iterator[Diagnostic]:
    for name, table in project.tables[section].items():
        for error in decode_valid(table, _KINDS[section], (section, name))[1]:
            if not _may_pass(project, error):
                yield Diagnostic(
                    code="no-compose-file",
                    detail=error.text,
                    address=address(error.path),
                    location=project.location(error.path),
                )


def _may_pass(project: Project, error: StructError) -> bool:
    """Tell whether what the types refuse may be right for Compose: a variable, or an extension."""
    path, kind = error.path, error.kind
    value: Any = project.tables
    for part in path:
        found: Any = value
        value = found[part] if isinstance(value, dict | list) and _has(value, part) else None
    if isinstance(path[-1], str) and path[-1].startswith("x-"):
        return True
    if kind == "unknown key" and path[0] == "services" and path[-1] in NEWER.get(".".join(map(str, path[2:-1])), ()):
        return True
    of_a_scalar = kind != "type" or re.search("number|false", error.detail.partition("should be")[2]) is not None
    return (isinstance(value, str) and "$" in value and of_a_scalar) or (value is None and kind != "missing key")


def _has(value: Any, part: Any) -> bool:
    return part in value if isinstance(value, dict) else isinstance(part, int) and part < len(value)
