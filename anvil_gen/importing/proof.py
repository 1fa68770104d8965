"""The proof: Compose reads the source and what is rendered alike, whatever the variables are."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.importing.assignments import markers, required
from anvil_gen.importing.compare import Difference, differences
from anvil_gen.importing.compose_config import ComposeError, ComposeFiles, compose_command
from anvil_gen.importing.compose_files import Project
from anvil_gen.importing.engine_facts import EngineFacts
from anvil_gen.importing.rendered_config import write_rendered
from anvil_gen.importing.service_gpus import GpuNames
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.model import Tree
from anvil_gen.values import KeyPath

Assignments = Mapping[str, Mapping[str, str]]
_LINE = lazy_pattern(r"line (?P<line>[0-9]+)")
_ADDRESS = lazy_pattern(r"(?P<path>(?:services|networks|volumes|secrets|configs)(?:\.[\w-]+)+)")


class SourceRead(Struct, frozen=True, kw_only=True):
    """A source as Compose reads it: by the names of assignments, and with which values."""

    configs: Mapping[str, dict[str, Any]]
    assignments: Assignments
    kept: tuple[str, ...] = ()  # variables for which Compose takes no marker


def read_source(project: Project, dotenv: Mapping[str, str]) -> SourceRead | None:
    """Return what Compose makes of a source; None where there is no Compose.

    Raises:
        DiagnosticError: Compose refuses the source, with its line where it says one.
    """
    if compose_command() is None:
        return None
    files = ComposeFiles(folder=project.folder, files=project.files, text=project.text)
    assignments = {"defaults": {**required(project.tables), **dotenv}, "markers": markers(project.tables)}
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(_config, files, values) for values in assignments.values())
    if isinstance(first.result(), str):
        raise DiagnosticError([_refused(project, str(first.result()))])
    kept: tuple[str, ...] = ()
    marked: Any = second.result()
    if isinstance(marked, str):
        assignments["markers"], kept = _acceptable(files, assignments)
        marked = _config(files, assignments["markers"])
    configs = {"defaults": first.result(), **({"markers": marked} if isinstance(marked, dict) else {})}
    return SourceRead(configs=configs, assignments=assignments, kept=kept)  # type: ignore[arg-type]


def _config(files: ComposeFiles, values: Mapping[str, str]) -> dict[str, Any] | str:
    """Return a configuration; what Compose says, where it refuses the files."""
    try:
        return files.config(values)
    except ComposeError as error:
        return str(error)


def _acceptable(files: ComposeFiles, assignments: Assignments) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the markers that Compose takes one by one, and the variables of the others."""
    usual, found = assignments["defaults"], dict(assignments["markers"])
    with ThreadPoolExecutor(2) as pool:
        alone = {name: pool.submit(_config, files, {**usual, name: value}) for name, value in found.items()}
    kept = tuple(name for name, config in alone.items() if isinstance(config.result(), str))
    return {**usual, **{name: value for name, value in found.items() if name not in kept}}, kept


def _refused(project: Project, said: str) -> Diagnostic:
    lines = [line for line in said.splitlines() if "level=warning" not in line]
    text = " ".join(lines).strip() or "it does not say why"
    match, named = _LINE.search(text), _ADDRESS.search(text)
    path: KeyPath = tuple(named["path"].split(".")) if named is not None else ()
    location = project.location(path)
    if match is not None and location is not None:
        location = type(location)(file=location.file, line=int(match["line"]))
    remedy = "run docker compose config in its folder, and import it when that passes"
    return Diagnostic(code="no-compose-file", detail=f"Compose says: {text}", remedy=remedy, location=location)


def prove(
    source: SourceRead,
    tree: Tree,
    folder: Path,
    facts: Mapping[str, EngineFacts],
    gpus: GpuNames,
) -> list[Difference]:
    """Return where the rendered files, written to ``folder``, differ from the source under any assignment."""
    results = write_rendered(tree, folder).read({name: source.assignments[name] for name in source.configs})
    found: dict[KeyPath, Difference] = {}
    for name, config in source.configs.items():
        for one in differences(config, results[name], facts, gpus):
            found.setdefault(one.path, one)
    return list(found.values())


def temporary_tree() -> TemporaryDirectory[str]:
    """Return a folder for rendered files, which is removed at its end."""
    return TemporaryDirectory(prefix="anvil-gen-import-")
