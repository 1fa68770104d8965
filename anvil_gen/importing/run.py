"""An import from its start: what is read, where the inventory is to be, and what is to be said about it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.importing.compose_files import Project, read_project
from anvil_gen.importing.importer import Import, Target, import_project
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.machine.dotenv import parse
from anvil_gen.text_files import read_text


class ImportResult(Struct, frozen=True, kw_only=True):
    """An import, with its source and what cannot be said in an inventory."""

    project: Project
    imported: Import
    path: Path
    notes: tuple[str, ...]


def import_files(
    files: Sequence[Path], made: Generator, *, text: str | None, name: str | None, output: Path | None
) -> ImportResult:
    """Return the inventory of compose files, or of the text of one.

    Raises:
        DiagnosticError: the source cannot be read, or is not valid.
    """
    project = read_project(files, text=text, folder=Path() if text is not None else None)
    host = host_name(name or (output.stem if output is not None else project.name))
    path = output or Path("hosts") / f"{host}.toml"
    target = Target(path=path.absolute(), name=host, dotenv=_dotenv(project.folder))
    catalog = Catalog(fleet_root(target.path) / "templates")
    imported = import_project(project, target, made, catalog)
    return ImportResult(project=project, imported=imported, path=path, notes=tuple(_notes(project, imported)))


def host_name(written: str) -> str:
    """Return a name as hosts have them: lower-case letters, digits, `-` and `_`."""
    return re.sub("[^a-z0-9_-]+", "-", written.lower()).strip("-_")[:63] or "imported"


def _dotenv(folder: Path) -> Mapping[str, str]:
    """Return the variables of the source's `.env`."""
    try:
        return parse(read_text(folder / ".env"), {}).values
    except OSError:
        return {}


def _notes(project: Project, imported: Import) -> Iterator[str]:
    """Yield what a person should know of the import, besides its residue."""
    if project.extensions:
        yield f"not part of an inventory, and left out: {', '.join(project.extensions)}"
    for variable in imported.hidden.values:
        yield f"a secret that is written out is now the variable {variable}: write its value into .env of the tree"
    if imported.kept:
        yield f"proved with its default alone, since Compose takes no other value: {', '.join(imported.kept)}"
    if (project.folder / ".env").exists():
        folder = os.path.relpath(project.folder)
        yield f"{folder}/.env has variables: the rendered tree reads its own .env"
