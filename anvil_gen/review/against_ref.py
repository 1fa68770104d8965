"""What has changed since a git ref: every host rendered as it was then, by what was committed, and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen import __version__
from anvil_gen.deploy.deploy_tree import FileAction, FileChange
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.deploy.pipeline import generator as new_generator
from anvil_gen.deploy.plan import Plan, parse_existing
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, display_path
from anvil_gen.inventory.fleet import GROUPS, fleet_root
from anvil_gen.inventory.lock_file import fleet_lock_path, lock_path
from anvil_gen.inventory.toml_file import Document
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.resolve.model import Tree
from anvil_gen.review.causes import Elsewhere, Place, explained, places_of
from anvil_gen.review.consequence import compose, service_changes
from anvil_gen.review.edited_files import edited_files
from anvil_gen.review.host_plan import NOTHING, HostPlan, document, host_plan, inputs
from anvil_gen.review.names import name_changes
from anvil_gen.review.snapshot import LOCKS, TEMPLATES, Snapshot, snapshot
from anvil_gen.review.toml_edits import Edit, edits

_LONGEST_PIN = 100


class _Then(Struct, frozen=True, kw_only=True):
    """A fleet at a ref: its files in ``place``, and what renders them. ``folder`` has its inventories."""

    was: Snapshot
    place: Path
    folder: str
    generator: Generator
    differing: Elsewhere
    is_trusted: bool

    def path_of(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name

    def tree(self, earlier: Plan, names: Iterable[str]) -> Tree:
        """Return the tree of that time: as it is committed, where another program has rendered it.

        What this program makes of the inventory of that time would hide what the other program makes otherwise.
        """
        output = earlier.host.output
        if not self.was.is_of_another_program or not output.is_relative_to(self.place):
            return earlier.tree
        found = self.committed(output.relative_to(self.place).as_posix(), (*earlier.tree.files, *names))
        return found if found.files else earlier.tree

    def committed(self, folder: str, names: Iterable[str]) -> Tree:
        """Return what was committed of the files of a deploy tree."""
        found = self.was.texts(f"{folder}/{name}" for name in dict.fromkeys(names))
        files = {path.removeprefix(f"{folder}/"): text for path, text in found.items()}
        data = {path: parse_existing(text, path) for path, text in files.items() if syntax_of(path) == "yaml"}
        return Tree(files=files, data=data)

    def as_committed(self, plan: Plan) -> Tree:
        """Return what was committed of a host whose inventory of that time is not valid now."""
        if not plan.host.output.absolute().is_relative_to(self.was.root):
            return NOTHING
        folder = plan.host.output.absolute().relative_to(self.was.root).as_posix()
        own = [path.removeprefix(f"{folder}/") for path in self.was.paths if path.startswith(f"{folder}/")]
        return self.committed(folder, (*plan.tree.files, *(path for path in own if path.endswith(".yml"))))

    def render(self, path: str) -> Plan:
        """Return what an inventory rendered then.

        Raises:
            DiagnosticError: it is not valid for this version of anvil-gen; its ref is named.
        """
        try:
            return self.generator.render(self.place / path)
        except DiagnosticError as error:
            where = f"{self.was.ref}:{path}"
            raise DiagnosticError(
                replace(one, location=None if one.location is None else replace(one.location, file=where))
                for one in error.diagnostics
            ) from None

    def data(self, path: str) -> Mapping[str, Any]:
        """Return what an inventory said then; nothing of one that is no TOML."""
        with suppress(DiagnosticError):
            return Document(self.place / path).data
        return {}


def against_ref(
    plans: Iterable[Plan], generator: Generator, ref: str, *, every: bool = False, trusted: bool = True
) -> list[HostPlan]:
    """Return what has changed since a git ref; with ``every``, the hosts that are gone as well.

    What is not ``trusted`` renders nothing by templates of its own, then as now.

    Raises:
        DiagnosticError: there is no such ref, or an inventory of that time is not valid for this version.
    """
    found: list[HostPlan] = []
    by_root: dict[tuple[Path, str], list[Plan]] = {}
    for plan in plans:
        root = fleet_root(plan.host.path)
        by_root.setdefault((root, _inside(plan.host.path.parent, root)), []).append(plan)
    for (root, folder), own in by_root.items():
        names = {plan.host.path.name for plan in own}
        found += _of_fleet(snapshot(root, folder, ref, names), folder, own, generator, every=every, trusted=trusted)
    return found


def _inside(path: Path, root: Path) -> str:
    relative = path.absolute().relative_to(root).as_posix()
    return "" if relative == "." else relative


def _of_fleet(
    was: Snapshot, folder: str, plans: list[Plan], now: Generator, *, every: bool, trusted: bool
) -> Iterator[HostPlan]:
    with tempfile.TemporaryDirectory(prefix="anvil-gen-") as name:
        place = Path(name).resolve()
        made = new_generator(below=None if trusted else place)
        differing = _differing(was)
        then = _Then(was=was, place=place, folder=folder, generator=made, differing=differing, is_trusted=trusted)
        was.write(place)
        for plan in plans:
            yield _of_host(then, then.path_of(plan.host.path.name), plan, now)
        if every:
            yield from (_removed(then, path) for path in was.inventories if not (was.root / path).exists())


class _Before(Struct, frozen=True, kw_only=True):
    """A host at that time: its tree, the data of its inventory, and what it was rendered as, where it still can be."""

    tree: Tree = NOTHING
    data: Mapping[str, Any] = {}
    earlier: Plan | None = None
    notes: tuple[str, ...] = ()


def _before(then: _Then, path: str, plan: Plan) -> _Before:
    """Return a host at that time.

    Raises:
        DiagnosticError: its inventory is not valid for this version, and no files are there or they are a stranger's.
    """
    if path not in then.was.files:
        return _Before()
    try:
        earlier = then.render(path)
    except DiagnosticError as error:
        tree = then.as_committed(plan)
        if not (then.is_trusted and tree.files):
            raise
        what = next(iter(error.diagnostics)).summary
        note = (
            f"{then.was.ref}:{path} is not valid now ({what}): this is compared with the files that are committed there"
        )
        return _Before(tree=tree, data=then.data(path), notes=(note,))
    return _Before(tree=then.tree(earlier, plan.tree.files), data=document(earlier).data, earlier=earlier)


def _of_host(then: _Then, path: str, plan: Plan, now: Generator) -> HostPlan:
    elsewhere = _elsewhere(then, path, plan)
    if path not in then.differing.hosts and path in then.was.files and elsewhere == Elsewhere():
        return replace(host_plan(plan, (), (), is_edited=False), notes=_notes(then.was))
    was = _before(then, path, plan)
    services = service_changes(compose(was.tree), compose(plan.tree))
    found = tuple(edits(was.data, document(plan).data)) if was.data else (_new_host(plan),)
    further = edited_files(plan, now, lambda paths: map(then.was.files.get, paths)) if services and was.data else ()
    asked = inputs(plan, now, found, elsewhere, tuple(further))
    services, idle = explained(services, replace(asked, program=_by_program(was)))
    return replace(
        host_plan(plan, services, tuple(file_changes(was.tree, plan.tree)), is_edited=bool(found)),
        notes=(*_notes(then.was), *was.notes),
        names=() if was.earlier is None else name_changes(was.earlier.host.stack, plan.host.stack),
        warnings=tuple(_new_warnings(was.earlier, plan)),
        idle=idle,
        is_reworded=not found and path in then.differing.hosts,
    )


def _by_program(was: _Before) -> frozenset[Place]:
    """Return what this anvil-gen renders otherwise than the one of that time, of the same inventory."""
    if was.earlier is None or was.tree is was.earlier.tree:
        return frozenset()
    return frozenset(
        place for one in service_changes(compose(was.tree), compose(was.earlier.tree)) for place in places_of(one)
    )


def _new_warnings(earlier: Plan | None, plan: Plan) -> Iterator[Diagnostic]:
    """Yield the warnings that the change brings."""
    known = set() if earlier is None else {(one.code, one.address, one.detail) for one in earlier.host.warnings}
    return (one for one in plan.host.warnings if (one.code, one.address, one.detail) not in known)


def _notes(was: Snapshot) -> tuple[str, ...]:
    before, after = (one[:_LONGEST_PIN] for one in was.pins)  # whoever writes the line can make it any length
    return (f"{was.ref} has {before}, and now it is {after or 'none'}",) if was.pins[0] not in ("", was.pins[1]) else ()


def _new_host(plan: Plan) -> Edit:
    return Edit(path=(), before=None, after=plan.host.name)


def _differing(was: Snapshot) -> Elsewhere:
    """Return what of a fleet is another one now, of all its hosts."""
    changed, inventories = was.changed, was.inventories
    return Elsewhere(
        templates=tuple(was.differing(TEMPLATES)),
        locks=tuple(was.differing(LOCKS)),
        files=(*was.differing(GROUPS), *sorted(changed.difference(inventories))),
        hosts=tuple(sorted(changed.intersection(inventories))),
    )


def _elsewhere(then: _Then, path: str, plan: Plan) -> Elsewhere:
    """Return what of it can be a cause of what changes in a host: other hosts, those of its router and its groups."""
    found = then.differing
    depends = bool(plan.host.ranks or document(plan).data.get("router", {}).get("hosts"))

    own_locks = {file(plan.host.path).name for file in (lock_path, fleet_lock_path)}

    def shown(paths: Iterable[str]) -> tuple[str, ...]:
        return tuple(display_path(then.was.root / one) for one in paths)

    return Elsewhere(
        version=f"anvil-gen {__version__}, another than at {then.was.ref}" if then.was.is_of_another_program else "",
        templates=shown(found.templates),
        locks=shown(lock for lock in found.locks if Path(lock).name in own_locks),
        files=shown(found.files),
        hosts=shown(file for file in found.hosts if file != path and depends),
    )


def _removed(then: _Then, path: str) -> HostPlan:
    plan = then.render(path)
    services = service_changes(compose(plan.tree), {})
    files = tuple(file_changes(plan.tree, NOTHING))
    name, notes = plan.host.name, _notes(then.was)
    return HostPlan(host=name, inventory=path, stack=None, services=tuple(services), files=files, notes=notes)


def file_changes(before: Tree, after: Tree) -> Iterable[FileChange]:
    """Yield the files in which two trees differ."""
    for path in sorted(before.files.keys() | after.files.keys()):
        old, new = before.files.get(path), after.files.get(path)
        if old != new:
            action: FileAction = "create" if old is None else "delete" if new is None else "update"
            yield FileChange(path=path, action=action, before=old, after=new)
