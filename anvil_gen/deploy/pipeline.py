"""The one pipeline: inventory + catalog -> resolve -> render -> verify, for one or many hosts."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import asdict, replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.compose_diff import Change, compare
from anvil_gen.deploy.deploy_tree import DeployFolder, FileChange
from anvil_gen.deploy.overwrite_check import overwrite_errors
from anvil_gen.deploy.plan import Plan, Rendered, parse_existing
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.render.jinja_env import cache_folder
from anvil_gen.render.renderer import Renderer
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.render.verify import verify
from anvil_gen.resolve.load import read_host
from anvil_gen.resolve.model import Stack, Tree
from anvil_gen.resolve.resolved_host import resolve_host
from anvil_gen.resolve.uniqueness import check_helpers
from anvil_gen.values import KeyPath

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


class Generator:
    """Renders inventories; templates are read and compiled once for all of a fleet."""

    def __init__(self, *, cache: Path | None = None) -> None:
        """Keep compiled templates in ``cache``, where one is given."""
        self._cache = cache
        self._renderers: dict[Path, Renderer] = {}

    def render(self, inventory: Path, *, output: Path | None = None) -> Rendered:
        """Render one inventory, to ``output`` instead of where it says.

        Raises:
            DiagnosticError: with everything that is wrong in the inventory.
            InternalError: a rendered file does not match the inventory.
        """
        renderer = self._renderer(fleet_root(inventory))
        reading = read_host(inventory, renderer.catalog, output=output)
        resolved, collector = resolve_host(reading), reading.collector
        files, rendered = renderer.render(resolved.stack)
        data = verify(renderer, files, rendered)
        check_helpers(_services(resolved.stack, data), collector)
        collector.raise_errors()
        tree = Tree(files=dict(sorted(files.items())), data=data)
        return Rendered(**asdict(replace(resolved, warnings=collector.diagnostics)), tree=tree)

    def render_all(self, inventories: Iterable[Path], *, output: Path | None = None) -> list[Rendered]:
        """Render several inventories; the errors of all of them are reported together.

        Raises:
            DiagnosticError: at least one has an error, or two would write to one folder.
        """
        rendered = collect_all(lambda inventory: self.render(inventory, output=output), inventories)
        diagnostics = _shared_outputs(rendered)
        if diagnostics:
            raise DiagnosticError(diagnostics)
        return rendered

    def _renderer(self, root: Path) -> Renderer:
        if root not in self._renderers:
            self._renderers[root] = Renderer(Catalog(root / "templates"), cache_folder=self._cache)
        return self._renderers[root]


def _services(stack: Stack, data: Mapping[str, Any]) -> dict[KeyPath, list[str]]:
    """Return the services that each table of the inventory has made."""
    tables: list[KeyPath] = [("tiers", tier.name) for tier in stack.tiers]
    tables += [("services", extra.name) for extra in stack.services]
    found = {table: list(data[f"{table[0]}/{table[1]}.yml"]["services"]) for table in tables}
    return {**found, ("router",): [stack.router.service] if stack.router is not None else []}


def collect_all(function: Callable[[_Item], _Value], items: Iterable[_Item]) -> list[_Value]:
    """Return the function's value for each item.

    Raises:
        DiagnosticError: with what it raised for any of them.
    """
    values: list[_Value] = []
    diagnostics: list[Diagnostic] = []
    for item in items:
        try:
            values.append(function(item))
        except DiagnosticError as error:
            diagnostics += error.diagnostics
    if diagnostics:
        raise DiagnosticError(diagnostics)
    return values


def generator() -> Generator:
    """Return a generator that keeps compiled templates in the user's cache folder."""
    return Generator(cache=cache_folder())


def plan(rendered: Rendered) -> Plan:
    """Compare a rendered tree with what is on disk.

    Raises:
        DiagnosticError: something that is no file stands where a file belongs.
    """
    folder = DeployFolder(rendered.output, inventory=rendered.header)
    outcome = _compared(rendered, folder)
    # Another process may have written while the files were read.
    return outcome if folder.is_current() else plan(rendered)


def write_trees(outcomes: Sequence[Plan], *, force: bool = False) -> list[Plan]:
    """Write like `write`, so that users of other names can read it, as the containers are: whatever the umask says."""
    os.umask(os.umask(0o022) & 0o022)
    return write(outcomes, force=force)


def write(outcomes: Sequence[Plan], *, force: bool = False) -> list[Plan]:
    """Write what `plan` found, for all hosts or for none.

    Returns:
        What was written: something else than what was found, where another process wrote to the same folder since.

    Raises:
        DiagnosticError: a file would be overwritten that neither anvil-gen wrote last nor git has (unless ``force``),
            or a file cannot be written.
    """
    if not force:
        _refuse_foreign(outcomes)
    try:
        current = _locked(outcomes)
        if not force:
            _refuse_foreign(new for old, new in zip(outcomes, current, strict=True) if new is not old)
        for outcome in current:
            rendered = outcome.rendered
            outcome.folder.stage(rendered.tree.files, outcome.files, sources=rendered.sources)
        for outcome in current:
            outcome.folder.commit()
    except DiagnosticError:
        for outcome in reversed(outcomes):
            outcome.folder.drop()
        raise
    return current


def _compared(rendered: Rendered, folder: DeployFolder) -> Plan:
    files = folder.compare(rendered.tree.files, cache(lambda: _names(rendered)))
    return Plan(rendered=rendered, folder=folder, files=tuple(files), changes=_service_changes(rendered, files))


def _locked(outcomes: Sequence[Plan]) -> list[Plan]:
    """Return outcomes that stay true until they are written: no other process can write to their folders."""
    current = list(outcomes)
    # In one order in every process, so that no two wait for each other.
    for place in sorted(range(len(current)), key=lambda place: os.path.realpath(current[place].rendered.output)):
        rendered, folder, files = current[place].rendered, current[place].folder, current[place].files
        if folder.is_written(rendered.tree.files, files, sources=rendered.sources):
            continue
        if not folder.lock():
            current[place] = _compared(rendered, folder)
    return current


def _refuse_foreign(outcomes: Iterable[Plan]) -> None:
    diagnostics = [diagnostic for outcome in outcomes for diagnostic in overwrite_errors(outcome)]
    if diagnostics:
        raise DiagnosticError(diagnostics)


def _names(rendered: Rendered) -> set[str]:
    """Return the files that some router's folder puts next to the root file."""
    return {
        name.removesuffix(".j2")
        for router in rendered.catalog.names("routers")
        for name in rendered.catalog.below(f"routers/{router}/tree")
    }


def _service_changes(rendered: Rendered, files: Sequence[FileChange]) -> tuple[Change, ...]:
    """Return the changes per service, those of the host's main project first."""
    compose = {change.path: change for change in files if syntax_of(change.path) == "yaml"}
    # A volume may stand in several files, and goes only with the last of them.
    kept = [data for path, data in rendered.tree.data.items() if path not in compose and syntax_of(path) == "yaml"]
    before = [parse_existing(change.before, change.path) for change in compose.values()]
    after = [rendered.tree.data[change.path] for change in compose.values() if change.after is not None]
    changes = compare([*kept, *before], [*kept, *after]) if compose else []
    return tuple(sorted(changes, key=lambda change: change.project != rendered.project))


def _shared_outputs(rendered: list[Rendered]) -> list[Diagnostic]:
    seen: dict[str, Rendered] = {}
    diagnostics = []
    for one in rendered:
        other = seen.setdefault(os.path.normcase(os.path.realpath(one.output)), one)
        if other is not one:
            diagnostics.append(
                Diagnostic(
                    code="output-taken-twice",
                    detail=f"{other.inventory.as_posix()} is rendered into the same folder",
                    remedy='set another "output" or "name" in [host]',
                    address="host",
                    location=Location(file=one.inventory.as_posix()),
                )
            )
    return diagnostics
