"""The one pipeline: inventory + catalog -> resolve -> render -> proof, for one or many hosts."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.catalog import Catalog
from anvil_gen.changes import Change, compare
from anvil_gen.deploy_folder import DeployFolder, FileChange, digest_of
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError, Location
from anvil_gen.document import Document
from anvil_gen.fleet import cache_folder, fleet_root, header_name
from anvil_gen.model import Tree
from anvil_gen.proof import parse, prove
from anvil_gen.render import Renderer, syntax_of
from anvil_gen.report import Report
from anvil_gen.resolve import host_options, resolve
from anvil_gen.structure import parse as parse_inventory


class Rendered(Struct, frozen=True, kw_only=True):
    """One host's tree, proven and not yet written."""

    host: str
    project: str
    inventory: Path
    inventory_digest: str
    output: Path
    tree: Tree
    warnings: tuple[Diagnostic, ...]
    header: str

    @property
    def folder(self) -> DeployFolder:
        """The folder that the tree belongs into."""
        return DeployFolder(self.output, inventory=self.header)


class Outcome(Struct, frozen=True, kw_only=True):
    """What a rendered tree changes against the one on disk."""

    rendered: Rendered
    files: tuple[FileChange, ...]
    changes: tuple[Change, ...]


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
            InternalError: a rendered file does not say what the inventory says.
        """
        report = Report(Document(inventory))
        root = fleet_root(inventory)
        renderer = self._renderer(root)
        parsed = parse_inventory(report)
        host = host_options(parsed, renderer.catalog, file_stem=_stem(inventory), deploy=str(root / "deploy"))
        stack = resolve(parsed, renderer.catalog, report, host, header=header_name(inventory))
        report.raise_errors()
        files, digests = renderer.render(stack)
        data = prove(renderer, stack, files, digests)
        return Rendered(
            host=stack.host,
            project=stack.project,
            inventory=inventory,
            inventory_digest=digest_of(report.document.text),
            output=output or Path(os.path.abspath(inventory)).parent / host["output"],  # noqa: PTH100
            tree=Tree(files=dict(sorted(files.items())), data=data),
            warnings=report.diagnostics,
            header=stack.inventory,
        )

    def render_all(self, inventories: Iterable[Path], *, output: Path | None = None) -> list[Rendered]:
        """Render several inventories; the faults of all of them are told together.

        Raises:
            DiagnosticError: at least one has a fault, or two would write to one folder.
        """
        rendered: list[Rendered] = []
        faults: list[Diagnostic] = []
        for inventory in inventories:
            try:
                rendered.append(self.render(inventory, output=output))
            except DiagnosticError as error:
                faults += error.diagnostics
        faults += _shared_outputs(rendered)
        if any(fault.severity == "error" for fault in faults):
            raise DiagnosticError(faults)
        return rendered

    def _renderer(self, root: Path) -> Renderer:
        if root not in self._renderers:
            self._renderers[root] = Renderer(Catalog(root / "templates"), cache_folder=self._cache)
        return self._renderers[root]


def generator() -> Generator:
    """Return a generator that keeps compiled templates in the user's cache folder."""
    return Generator(cache=cache_folder())


def against_disk(rendered: Rendered) -> Outcome:
    """Compare a rendered tree with what is on disk. A write that was killed is finished or dropped first."""
    folder = rendered.folder
    folder.recover()
    files = folder.compare(rendered.tree.files)
    compose = [change for change in files if syntax_of(change.path) == "yaml"]
    before = [data for change in compose if change.before is not None and (data := _parsed(change))]
    after = [rendered.tree.data[change.path] for change in compose if change.after is not None]
    return Outcome(rendered=rendered, files=tuple(files), changes=tuple(compare(before, after)))


def write(outcome: Outcome, *, force: bool = False) -> None:
    """Write what `against_disk` found.

    Raises:
        DiagnosticError: a file would be overwritten that neither anvil-gen wrote last nor git has (unless ``force``).
    """
    folder = outcome.rendered.folder
    changes = list(outcome.files)
    foreign = [] if force else folder.foreign(changes)
    if foreign:
        raise DiagnosticError(_not_ours(outcome.rendered, change) for change in foreign)
    folder.write(outcome.rendered.tree.files, changes, inventory_digest=outcome.rendered.inventory_digest)


def _parsed(change: FileChange) -> Any:
    """Return the data of the file that is on disk; None where somebody's edit has broken it."""
    try:
        data = parse(change.before or "", change.path)
    except InternalError:
        return None
    return data if isinstance(data, dict) else None


def _not_ours(rendered: Rendered, change: FileChange) -> Diagnostic:
    return Diagnostic(
        summary="file was changed by hand",
        detail=f"{diff_text(change)}",
        remedy=f"move the change into {rendered.header}, or overwrite it: anvil-gen render --force {rendered.host}",
        location=Location(file=str(rendered.output / change.path)),
    )


def diff_text(change: FileChange) -> str:
    """Return a unified diff of one file, from what is on disk to what is rendered."""
    from difflib import unified_diff  # noqa: PLC0415

    before = (change.before or "").replace("\r\n", "\n").splitlines(keepends=True)
    after = (change.after or "").splitlines(keepends=True)
    old = f"a/{change.path}" if change.before is not None else "/dev/null"
    new = f"b/{change.path}" if change.after is not None else "/dev/null"
    return "".join(unified_diff(before, after, old, new))


def _shared_outputs(rendered: list[Rendered]) -> list[Diagnostic]:
    seen: dict[str, Rendered] = {}
    faults = []
    for one in rendered:
        other = seen.setdefault(os.path.realpath(one.output), one)
        if other is not one:
            faults.append(
                Diagnostic(
                    summary="output taken twice",
                    detail=f"{other.inventory.as_posix()} is rendered into the same folder",
                    remedy='set another "output" or "name" in [host]',
                    address="host",
                    location=Location(file=one.inventory.as_posix()),
                )
            )
    return faults


def _stem(inventory: Path) -> str:
    return inventory.name.removesuffix(".toml")
