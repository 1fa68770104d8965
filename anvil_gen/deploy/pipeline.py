"""The one pipeline: inventory + catalog -> resolve -> render -> verify, for one or many hosts."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog, catalog_of, shipped_catalog
from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.deploy.overwrite_check import overwrite_errors
from anvil_gen.deploy.plan import Plan
from anvil_gen.deploy.target_pipeline import BASE, base_plan, places_of, shared_namespaces, target_files
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path
from anvil_gen.inventory.fleet import fleet_root, neighbours, stem_of
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.render.group_view import ReadTree
from anvil_gen.render.jinja_env import cache_folder
from anvil_gen.render.renderer import Renderer, shipped_renderer
from anvil_gen.render.target_renderer import shared_folder, target_folder
from anvil_gen.render.target_view import HostTree
from anvil_gen.render.template_lines import TemplateLine
from anvil_gen.render.verify import verify
from anvil_gen.resolve.host import Host, render_command
from anvil_gen.resolve.model import Stack, Tree
from anvil_gen.resolve.model_needs import warn_of_model_needs
from anvil_gen.resolve.mounts import check_router_mounts
from anvil_gen.resolve.target import TargetRequest, resolve_target, with_target_variables
from anvil_gen.resolve.uniqueness import check_helpers
from anvil_gen.text_files import is_inside
from anvil_gen.values import KeyPath

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


class Generator:
    """Renders inventories; templates are read and compiled once for all of a fleet."""

    def __init__(self, *, cache: Path | None = None, below: Path | None = None) -> None:
        """Keep compiled templates in ``cache``, where one is given.

        With ``below``, a folder that somebody else wrote into, nothing outside of it is read, and no template in it.
        """
        self._cache = cache
        self._below = below
        self._renderers: dict[Path, Renderer] = {}
        self._outputs: dict[Path, Path | None] = {}

    def render(
        self,
        inventory: Path,
        *,
        output: Path | None = None,
        text: str | None = None,
        catalog: Catalog | None = None,
        lock: Lock | None = None,
        others: Mapping[str, str] = {},
        whole: bool = False,
        target: str | None = "",
        shares_base: bool = False,
    ) -> Plan:
        """Render one inventory, to ``output`` instead of where it says; ``text`` replaces its content.

        With a ``target``, its files are rendered instead of the deploy tree, which they follow from; None is the host's
        own. What several hosts have in common is left out where it ``shares_base``. ``catalog`` and ``lock`` stand
        for those on disk, and ``others`` for the contents of hosts that it names; a ``whole`` text has the tiers of
        groups in it.

        Raises:
            DiagnosticError: with everything that is wrong in the inventory.
            InternalError: a rendered file does not match the inventory.
        """
        renderer = self._renderer(fleet_root(inventory))
        if catalog is not None:
            renderer = renderer.with_catalog(catalog)
        name, folder = _own_files(renderer, inventory, output, target) if target != "" else ("", output)
        host = Host(
            inventory, renderer.catalog, output=folder, text=text, lock=lock, others=others, whole=whole, target=name
        )
        host.command = render_command([inventory], output, target or "") if name else host.command
        if folder is None and host.inventory.host.output is not UNSET:
            self._check_nesting(host)
        request = replace(resolve_target(host, name), shares_base=shares_base) if name else None
        stack, files, data = _rendered(renderer, host, request)
        check_helpers(_services(host.stack, data), host.collector)
        if host.stack.router is not None:
            check_router_mounts(data[host.stack.modes[0].router_file]["services"].values(), host.collector)
        host.collector.raise_errors()
        warn_of_model_needs(host)
        if (fleet_root(inventory) / "locks").is_dir():
            from anvil_gen.fit.warnings import warn_of_misfits  # noqa: PLC0415  only a fleet with locks needs it

            warn_of_misfits(host)
        if request is None:
            return Plan(host, Tree(files=dict(sorted(files.items())), data=data))
        tree = HostTree(host=host, request=request, stack=stack, files=files, data=data)
        own = target_files(renderer, tree, _reader(renderer, host, name, others))
        return Plan(host, Tree(files=dict(sorted(own.items())), data=own), places_of(renderer, request.data, name))

    def render_all(
        self, inventories: Sequence[Path], *, output: Path | None = None, target: str | None = ""
    ) -> list[Plan]:
        """Render several inventories; the errors of all of them are reported together.

        Each of several hosts has a folder of its name in ``output``, next to what they share; ``target`` is as for one.

        Raises:
            DiagnosticError: at least one has an error, or two would write to one folder.
        """
        shared = bool(
            len(inventories) > 1
            and output
            and target
            and self._renderer(fleet_root(inventories[0])).catalog.below(shared_folder(target))
        )
        plans = collect_all(
            lambda one: self.render(
                one,
                output=output / stem_of(one) if output and len(inventories) > 1 else output,
                target=target,
                shares_base=shared,
            ),
            inventories,
        )
        _warn_of_shared_projects(plans)
        base = [self._base(plans, inventories, output, target)] if shared and output and target else []
        diagnostics = [*_shared_outputs(plans, base), *(shared_namespaces(plans, target) if target else ())]
        if diagnostics:
            raise DiagnosticError(diagnostics)
        return [*base, *plans]

    def _base(self, plans: Sequence[Plan], inventories: Sequence[Path], output: Path, target: str) -> Plan:
        """Return what several hosts of one target share; its files are said to be from the first host by name."""
        for plan in plans:
            plan.host.command = render_command(inventories, output, target)
        first = min(plans, key=lambda plan: plan.host.header)
        renderer = self._renderer(fleet_root(first.host.path))
        host = Host(first.host.path, renderer.catalog, output=output / BASE, target=target)
        host.command = first.host.command
        return base_plan(renderer, host, target)

    def template_lines(self, plan: Plan, path: str) -> list[TemplateLine]:
        """Return which line of which template each line of a plan's file is from; none of a copied file."""
        renderer = self._renderer(fleet_root(plan.host.path))
        _, rendered = renderer.render(plan.host.stack)
        return next((renderer.template_lines(file) for file in rendered if file.path == path), [])

    def _check_nesting(self, host: Host) -> None:
        """Report an output that is in or above that of another host of the fleet."""
        for path in neighbours(host.path):
            output = self._output_of(path, host.catalog)
            pair = {os.path.realpath(host.output), os.path.realpath(output or host.output)}
            if output is not None and len(pair) == 2 and os.path.commonpath([*pair]) in pair:
                detail = f"{display_path(output)}, of {display_path(path)}, and it are in one another"
                remedy = 'write a folder of its own: "../deploy/box"'
                host.collector.add("output-taken-twice", ("host", "output"), detail, remedy)

    def _output_of(self, inventory: Path, catalog: Catalog) -> Path | None:
        """Return where another inventory is rendered to; None where that cannot be told."""
        if inventory not in self._outputs:
            self._outputs[inventory] = None
            with suppress(DiagnosticError):
                self._outputs[inventory] = Host(inventory, catalog).output
        return self._outputs[inventory]

    def _renderer(self, root: Path) -> Renderer:
        if root not in self._renderers:
            if self._below is not None:
                _require_trust(root, self._below)
            catalog = catalog_of(root)
            if catalog is shipped_catalog():
                self._renderers[root] = shipped_renderer(self._cache)
            else:
                self._renderers[root] = Renderer(catalog, cache_folder=self._cache)
        return self._renderers[root]


def _rendered(
    renderer: Renderer, host: Host, request: TargetRequest | None
) -> tuple[Stack, dict[str, str], dict[str, Any]]:
    """Return what a host resolves to, as a target has it, and its deploy tree with the parsed files."""
    host.group_words = request.data.group if request is not None else None
    stack = _with_fit(host) if request is None else with_target_variables(_with_fit(host), host, request.name)
    files, rendered = renderer.render(stack)
    return stack, files, verify(renderer, files, rendered)


def _reader(renderer: Renderer, host: Host, target: str, others: Mapping[str, str]) -> ReadTree:
    """Return what renders another host of a host's fleet for a target."""

    def read(name: str) -> HostTree:
        path = next(path for path in neighbours(host.path) if stem_of(path) == name)
        other = Host(path, renderer.catalog, text=others.get(name), others=others, target=target)
        request = resolve_target(other, target)
        stack, files, data = _rendered(renderer, other, request)
        other.collector.raise_errors()
        return HostTree(host=other, request=request, stack=stack, files=files, data=data)

    return read


def _own_files(renderer: Renderer, inventory: Path, output: Path | None, target: str | None) -> tuple[str, Path | None]:
    """Return a target that has files of its own, or the host's, and their folder; no name for the deploy tree."""
    host = Host(inventory, renderer.catalog)
    name = resolve_target(host, target or host.options.target).name
    if not renderer.catalog.below(target_folder(name)):
        return "", output
    return name, host.output / name if output is None else output


def _with_fit(host: Host) -> Stack:
    """Return what is rendered of a host: the alerts go by what its models take."""
    if host.stack.monitoring is None:
        return host.stack
    from anvil_gen.fit.alert_limits import with_limits  # noqa: PLC0415  only a host with alerts needs it

    return with_limits(host)


def _services(stack: Stack, data: Mapping[str, Any]) -> dict[KeyPath, list[str]]:
    """Return the services that each table of the inventory has made."""
    tables: list[KeyPath] = [("tiers", tier.name) for tier in stack.tiers]
    found = {table: list(data[f"{table[0]}/{table[1]}.yml"]["services"]) for table in tables}
    found |= {extra.table: list(data[f"services/{extra.name}.yml"]["services"]) for extra in stack.services}
    router = list(data[stack.modes[0].router_file]["services"]) if stack.router is not None else []
    return {**found, ("router",): router}


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
        raise DiagnosticError(dict.fromkeys(diagnostics))  # what is wrong with a group, each of its hosts reports
    return values


def generator(*, below: Path | None = None) -> Generator:
    """Return a generator that keeps compiled templates in the user's cache folder; ``below`` is a `Generator`'s."""
    return Generator(cache=cache_folder(), below=below)


def _require_trust(root: Path, below: Path) -> None:
    """Refuse a fleet outside of a folder, or with templates of its own: they are programs.

    Raises:
        DiagnosticError: it is one.
    """
    where, templates = Location(file=display_path(root)), root / "templates"
    if not is_inside(root, below):
        detail = f"--untrusted reads nothing outside of {display_path(below)}"
        raise DiagnosticError([Diagnostic(code="not-in-the-repository", detail=detail, location=where)])
    if os.path.lexists(templates) and not (templates.is_dir() and templates.samefile(shipped_templates())):
        where = Location(file=display_path(templates))
        detail, remedy = "--untrusted renders by the shipped ones alone", "review them, then render without --untrusted"
        code = "own-templates-are-not-trusted"
        raise DiagnosticError([Diagnostic(code=code, detail=detail, remedy=remedy, location=where)])


def write_trees(plans: Sequence[Plan], *, force: bool = False) -> list[Plan]:
    """Write like `write`, so that users of other names can read it, as the containers are: whatever the umask says."""
    os.umask(os.umask(0o022) & 0o022)
    return write(plans, force=force)


def write(plans: Sequence[Plan], *, force: bool = False) -> list[Plan]:
    """Write what was planned, for all hosts or for none.

    Returns:
        What was written: something else than was planned if another process wrote to the same folder since.

    Raises:
        DiagnosticError: a file would be overwritten that neither anvil-gen wrote last nor git has (unless ``force``),
            or a file cannot be written.
    """
    if not force:
        _refuse_foreign(plans)
    try:
        current = _locked(plans)
        if not force:
            _refuse_foreign(new for old, new in zip(plans, current, strict=True) if new is not old)
        # Without a lock there was nothing to write: what others have written since then is theirs.
        locked = [plan for plan in current if plan.folder.is_locked]
        for plan in locked:
            plan.folder.stage(plan.tree.files, plan.files, sources=plan.host.sources)
        for plan in locked:
            plan.folder.commit()
    except DiagnosticError:
        for plan in reversed(plans):
            plan.folder.drop()
        raise
    return current


def _locked(plans: Sequence[Plan]) -> list[Plan]:
    """Return plans that stay true until they are written: no other process can write to their folders."""
    current = list(plans)
    # In one order in every process, so that no two wait for each other.
    for place in sorted(range(len(current)), key=lambda place: os.path.realpath(current[place].host.output)):
        plan = current[place]
        if plan.folder.is_written(plan.tree.files, plan.files, sources=plan.host.sources):
            continue
        if not plan.folder.lock():
            current[place] = plan.compare_again()
    return current


def _refuse_foreign(plans: Iterable[Plan]) -> None:
    diagnostics = [diagnostic for plan in plans for diagnostic in overwrite_errors(plan)]
    if diagnostics:
        raise DiagnosticError(diagnostics)


def _warn_of_shared_projects(plans: Sequence[Plan]) -> None:
    """Warn of hosts with one project: on one machine, each would remove the other's containers."""
    seen: dict[tuple[str | None, str], Plan] = {}
    for one in plans:
        host = one.host
        other = seen.setdefault((host.docker_context, host.project), one).host
        if other is not host:
            detail = f'"{host.project}" is that of {display_path(other.path)} too: on one machine, only one runs'
            where = ("host", "project") if host.collector.value_at(("host", "project")) else ("host",)
            remedy = 'set another "project" in [host]'
            host.collector.add("project-taken-twice", where, detail, remedy, severity="warning")


def _shared_outputs(plans: Sequence[Plan], base: Sequence[Plan] = ()) -> list[Diagnostic]:
    seen: dict[str, Plan] = {}
    diagnostics = []
    for one in (*base, *plans):
        other = seen.setdefault(os.path.normcase(os.path.realpath(one.host.output)), one)
        whose = "what all of them share" if other in base else other.host.path.as_posix()
        if other is not one:
            diagnostics.append(
                Diagnostic(
                    code="output-taken-twice",
                    detail=f"{whose} is rendered into the same folder",
                    remedy="rename this file" if other in base else 'set another "output" or "name" in [host]',
                    address="host",
                    location=Location(file=one.host.path.as_posix()),
                )
            )
    return diagnostics
