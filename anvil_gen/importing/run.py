"""An import from its start: what is read, where the inventory is to be, and what is to be said about it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog, catalog_of
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path
from anvil_gen.importing.compose_files import Project, file_text, read_project
from anvil_gen.importing.containers import read_inspected
from anvil_gen.importing.engine_facts import usual_driver
from anvil_gen.importing.group import group_texts
from anvil_gen.importing.importer import Import, Target, import_project
from anvil_gen.importing.live import inspected_project
from anvil_gen.importing.ranks import rank_note
from anvil_gen.importing.run_lines import looks_like_run_lines, read_run_lines
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.machine.dotenv import parse
from anvil_gen.resolve.host import Host
from anvil_gen.text_files import read_text

Kind = Literal["compose", "run", "inspect", "live"]


class Request(Struct, frozen=True, kw_only=True):
    """What is to be imported: files of a kind, the text of one, or the name of a running project."""

    sources: Sequence[str]
    text: str | None = None  # of standard input
    kind: Kind | None = None
    name: str | None = None
    output: Path | None = None
    known_gpus: Mapping[int, str] = {}
    gpu_facts: Mapping[str, Mapping[str, int | str]] = {}  # by UUID, as `[gpus]` has them
    context: str | None = None  # of Docker, for what runs
    adopt: bool = False


class ImportResult(Struct, frozen=True, kw_only=True):
    """An import, with its source and what cannot be said in an inventory."""

    project: Project
    imported: Import
    path: Path
    notes: tuple[str, ...]
    groups: tuple[str, ...] = ()  # files of groups of which it has a rank, with what belongs to their hosts


def run_import(request: Request, made: Generator) -> ImportResult:
    """Return the inventory of a source.

    Raises:
        DiagnosticError: the source cannot be read, or is not valid.
    """
    start = catalog_of(fleet_root((request.output or Path("hosts/x.toml")).absolute()))
    project = _project(request, start)
    host = host_name(request.name or (request.output.stem if request.output is not None else project.name))
    path = request.output or Path("hosts") / f"{host}.toml"
    target = Target(
        path=path.absolute(),
        name=host,
        dotenv=_dotenv(project.folder),
        known_gpus=request.known_gpus,
        gpu_facts=request.gpu_facts,
        adopt=request.adopt,
    )
    imported = import_project(project, target, made, start)
    return ImportResult(
        project=project,
        imported=imported,
        path=path,
        notes=tuple(_notes(start, project, imported, target.path)),
        groups=tuple(group_texts(start, path.absolute(), imported.text)),
    )


def _project(request: Request, catalog: Catalog) -> Project:
    if request.kind == "live":
        return inspected_project(request.sources, request.context)
    files = [Path(source) for source in request.sources] if request.text is None else []
    text = request.text if request.text is not None else file_text(files[0])
    kind = request.kind or kind_of(text)
    folder = Path() if request.text is not None else files[0].parent
    shown = "-" if request.text is not None else display_path(files[0])
    if kind == "compose":
        return read_project(files, text=request.text, folder=folder)
    if len(files) > 1:
        detail = "only compose files are merged"
        raise DiagnosticError([Diagnostic(code="usage-error", detail=detail, location=Location(file=shown))])
    if kind == "run":
        return read_run_lines(text, shown, folder, usual_driver(catalog))
    return read_inspected(text, shown, folder)


def kind_of(text: str) -> Kind:
    """Return what kind of source a text is."""
    if text.lstrip()[:1] in "[{" and re.search(r'"HostConfig"\s*:', text):
        try:
            json.loads(text)
        except ValueError:
            return "compose"
        return "inspect"
    has_services = re.search(r"(?m)^(?:services|include|name|version)\s*:", text) is not None
    return "run" if not has_services and looks_like_run_lines(text) else "compose"


def host_name(written: str) -> str:
    """Return a name as hosts have them: lower-case letters, digits, `-` and `_`."""
    return re.sub("[^a-z0-9_-]+", "-", written.lower()).strip("-_")[:63] or "imported"


def _dotenv(folder: Path) -> Mapping[str, str]:
    """Return the variables of the source's `.env`."""
    try:
        return parse(read_text(folder / ".env"), {}).values
    except OSError:
        return {}


def _notes(catalog: Catalog, project: Project, imported: Import, path: Path) -> Iterator[str]:
    """Yield what a person should know of the import, besides its residue."""
    if project.extensions:
        yield f"not part of an inventory, and left out: {', '.join(project.extensions)}"
    for variable in imported.hidden.values:
        yield f"a secret that is written out is now the variable {variable}: write its value into .env of the tree"
    for choice in imported.choices:
        note = rank_note(catalog, choice.engine, choice.service, project.tables["services"][choice.service])
        if note is not None:
            yield note
        for field, value in choice.assumed.items() if choice.form == "fields" else ():
            assumed = f"{field} = {value} is assumed"
            yield f"{choice.service} shares a GPU, and nothing says how much of it it takes: {assumed}"
    if imported.kept:
        yield f"proved with its default alone, since Compose takes no other value: {', '.join(imported.kept)}"
    if (project.folder / ".env").exists():
        yield from _notes_of_dotenv(os.path.relpath(project.folder), Host(path, catalog, text=imported.text))


def _notes_of_dotenv(folder: str, host: Host) -> Iterator[str]:
    place = f"{display_path(host.output)}/.env"
    yield f"{folder}/.env has variables, and the rendered tree reads a .env of its own: copy it to {place}"
    if host.options.project_directory is not None:
        yield f"its relative paths mean {folder} there as well, by project_directory in [host]"
