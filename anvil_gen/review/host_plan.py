"""What a change does to one host: its services with what happens to each, its files, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen import __version__
from anvil_gen.deploy.compose_diff import Cause
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.deploy.git import committed
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.deploy.plan import Plan
from anvil_gen.deploy.starts import known_starts
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.fit.facts_source import has_lock
from anvil_gen.fit.host_fit import HostFit, locked_fit
from anvil_gen.inventory.fleet import fleet_root, stem_of
from anvil_gen.inventory.group_files import HostDocument, group_file, group_paths
from anvil_gen.inventory.toml_file import Document
from anvil_gen.resolve.model import Stack, Tree
from anvil_gen.review.causes import Elsewhere, Inputs, explained
from anvil_gen.review.consequence import ServiceChange, compose, service_changes
from anvil_gen.review.edited_files import EditedFile, edited_files
from anvil_gen.review.image_bumps import with_bumps
from anvil_gen.review.names import NameChange
from anvil_gen.review.toml_edits import Edit, edits, toml_text

NOTHING = Tree(files={}, data={})


class HostPlan(Struct, frozen=True, kw_only=True):
    """What a change does to one host.

    ``stack`` is None of a host that goes, and ``tree`` what is rendered after the change; ``is_edited`` tells whether
    its inventory is another one, where that is known; ``notes`` are for people. ``fit`` is what its tiers take by the
    facts of its locks, of those whose service changes; None without locks. ``names`` are those that clients ask for and
    something else answers, and ``warnings`` the new ones, where the inventory before is known. ``idle`` are the edits
    that change no file, and it ``is_reworded`` where the inventory's text is another one that has the same values.
    """

    host: str
    inventory: str
    stack: Stack | None
    services: tuple[ServiceChange, ...]
    files: tuple[FileChange, ...]
    tree: Tree = NOTHING
    is_edited: bool = True
    notes: tuple[str, ...] = ()
    fit: HostFit | None = None
    names: tuple[NameChange, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    idle: tuple[Cause, ...] = ()
    is_reworded: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything differs."""
        return bool(self.services or self.files)

    @property
    def is_told(self) -> bool:
        """Whether there is anything to tell of it: an edit that changes nothing may be a mistake."""
        return self.changes or self.is_reworded or bool(self.idle or self.notes)

    def of(self, consequence: Consequence) -> list[str]:
        """Return the services that this happens to."""
        return [one.service for one in self.services if one.consequence is consequence]


def against_disk(plans: Iterable[Plan], generator: Generator) -> list[HostPlan]:
    """Return what a render would change on disk."""
    found = list(plans)
    committed_texts = _committed_texts(plan.host.path for plan in found if _is_in_question(plan))
    return [_against_disk(plan, generator, committed_texts.get(plan.host.path)) for plan in found]


def _committed_texts(paths: Iterable[Path]) -> dict[Path, bytes | None]:
    """Return what git has of inventories; it is asked once a folder."""
    by_folder: dict[Path, list[Path]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, []).append(path)
    return {
        path: text
        for folder, own in by_folder.items()
        for path, text in zip(own, committed(folder, [path.name for path in own]), strict=False)
    }


def _against_disk(plan: Plan, generator: Generator, content: bytes | None) -> HostPlan:
    if not _is_in_question(plan):
        return host_plan(plan, (), (), is_edited=False)
    services = service_changes(plan.data_on_disk, compose(plan.tree)) if plan.files else []
    before = _committed(plan, content)
    is_of_another_version = plan.folder.is_of_another_version(plan.files, sources=plan.host.sources)
    found = None if before is None else tuple(edits(before, document(plan).data))
    elsewhere = Elsewhere(version=f"anvil-gen {__version__}" if is_of_another_version else "")
    root = fleet_root(plan.host.path)
    further = edited_files(plan, generator, lambda paths: committed(root, paths)) if services else ()
    asked = inputs(plan, generator, found, elsewhere, tuple(further))
    if is_of_another_version:
        found = ()
    elif not found and not asked.further:  # what is on disk is from somewhere between
        found = None
    # What is on disk need not be what the last commit's inventory renders: each edit has to be proven.
    services, idle = explained(services, replace(asked, edits=found))
    made = host_plan(plan, services, plan.files, is_edited=found != ())
    return replace(made, idle=idle, is_reworded=not found and _is_reworded(plan, content))


def _is_in_question(plan: Plan) -> bool:
    """Tell whether a host's files, or what they were rendered from here, are others."""
    return bool(plan.files) or plan.folder.is_of_other_sources(plan.host.sources)


def _is_reworded(plan: Plan, content: bytes | None) -> bool:
    """Tell whether an inventory's text is another one than it was; that of a checkout may have other line ends."""
    return content is not None and _text(content).split() != document(plan).text.split()


def _committed(plan: Plan, content: bytes | None) -> Mapping[str, Any] | None:
    """Return the inventory that git has, with its parts of groups; None where it has none, or a broken one."""
    path, groups = plan.host.path, group_paths(plan.host.path)
    with suppress(DiagnosticError):
        if content is None:
            return None
        contents = committed(groups[0].parent, [one.name for one in groups]) if groups else ()
        found = [group_file(one, _text(was)) for one, was in zip(groups, contents, strict=True) if was is not None]
        return HostDocument(Document(path, text=_text(content)), found, stem_of(path)).data
    return None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def inputs(
    plan: Plan,
    generator: Generator,
    found: tuple[Edit, ...] | None,
    elsewhere: Elsewhere,
    further: tuple[EditedFile, ...] = (),
) -> Inputs:
    """Return what is known of how a host's files before came about."""

    def render(data: Mapping[str, Any]) -> Tree | None:
        with suppress(DiagnosticError):
            return generator.render(plan.host.path, text=toml_text(data), whole=True).tree
        return None

    return Inputs(
        document=document(plan),
        stack=plan.host.stack,
        after=plan.tree,
        edits=found,
        elsewhere=elsewhere,
        render=render,
        further=further,
    )


def document(plan: Plan) -> Document:
    """Return the inventory of a plan."""
    return plan.host.collector.document


def host_plan(
    plan: Plan, services: Iterable[ServiceChange], files: tuple[FileChange, ...], *, is_edited: bool
) -> HostPlan:
    """Return the plan of a host that is there."""
    services = tuple(with_last_starts(services, plan.host.output))
    return HostPlan(
        host=plan.host.name,
        inventory=plan.host.path.as_posix(),
        stack=plan.host.stack,
        services=tuple(with_bumps(services, plan.host.stack, plan.host.catalog)),
        files=files,
        tree=plan.tree,
        is_edited=is_edited,
        fit=_fit(plan, {one.service for one in services}),
    )


def with_last_starts(services: Iterable[ServiceChange], output: Path) -> Iterator[ServiceChange]:
    """Yield services with how long they took to start, where they have been started from here."""
    known = known_starts(output)
    return (replace(one, last_start=known.get(one.service)) for one in services)


def _fit(plan: Plan, services: set[str]) -> HostFit | None:
    """Return what the tiers of some services take, and the GPUs that they are on."""
    host = plan.host
    tiers = [tier for tier in host.stack.tiers if tier.service.name in services]
    if not tiers or not has_lock(host.path):
        return None
    whole, names = locked_fit(host), {tier.name for tier in tiers}
    found = tuple(one for one in whole.tiers if one.tier in names and one.estimate is not None)
    held = {name for one in found for name in one.gpus}
    gpus = tuple(one for one in whole.gpus if one.gpu in held and not one.with_experiment)
    return HostFit(host=whole.host, tiers=found, gpus=gpus) if found else None
