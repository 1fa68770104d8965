"""What a render makes of one host, and what that changes on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from itertools import chain, islice
from typing import Any

from msgspec import Struct

from anvil_gen.deploy.compose_diff import Change, compare, without_reloader
from anvil_gen.deploy.deploy_tree import DeployTree, FileChange, Places
from anvil_gen.diagnostics import InternalError
from anvil_gen.render.syntaxes import parse, syntax_of
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Tree

_MOST_VALUES = 100_000


class Comparison(Struct, frozen=True, kw_only=True):
    """A tree against the one on disk."""

    folder: DeployTree
    files: tuple[FileChange, ...]


class Plan:
    """A host's rendered tree, and what it changes against the one on disk, which is read when first asked for."""

    def __init__(self, host: Host, tree: Tree, places: Places = Places(), *, title: str = "") -> None:  # noqa: B008  immutable
        """Take a rendered tree that is not yet written, and where files of its kind can be.

        ``title`` is how a person names it, where that is not by the host.
        """
        self.title = title or host.name
        self.host = host
        self.tree = tree
        self._places = places

    @cached_property
    def _comparison(self) -> Comparison:
        while True:
            folder = DeployTree(self.host.output, inventory=self.host.header, places=self._places)
            found = self._compared(folder)
            if folder.is_current():  # else another process has written while the files were read
                return found

    @property
    def folder(self) -> DeployTree:
        """The deploy folder, as it was when it was compared."""
        return self._comparison.folder

    @property
    def files(self) -> tuple[FileChange, ...]:
        """The files that a write would touch.

        Raises:
            DiagnosticError: something that is no file is where a file belongs.
        """
        return self._comparison.files

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What that means for services, those of the host's main project first."""
        return self._service_changes(self.files)

    def compare_again(self) -> Plan:
        """Return the plan against what is in its folder by now."""
        again = Plan(self.host, self.tree, self._places, title=self.title)
        again.__dict__["_comparison"] = self._compared(self.folder)
        return again

    def _compared(self, folder: DeployTree) -> Comparison:
        files = tuple(folder.compare(self.tree.files, cache(self._names)))
        return Comparison(folder=folder, files=files)

    def _names(self) -> set[str]:
        """Return the files that some router's folder puts next to the root file."""
        catalog = self.host.catalog
        return {
            name.removesuffix(".j2")
            for router in catalog.names("routers")
            for name in catalog.below(f"routers/{router}/tree")
        }

    @property
    def compose_data(self) -> dict[str, Any]:
        """The parsed compose files that are rendered, by path."""
        return {path: data for path, data in self.tree.data.items() if syntax_of(path) == "yaml"}

    @cached_property
    def data_on_disk(self) -> dict[str, Any]:
        """The parsed compose files that are on disk, by path."""
        kept = self.compose_data
        changed = {
            one.path: parse_existing(one.before, one.path) for one in self.files if syntax_of(one.path) == "yaml"
        }
        return {**kept, **changed}

    def _service_changes(self, files: Sequence[FileChange]) -> tuple[Change, ...]:
        compose = {change.path: change for change in files if syntax_of(change.path) == "yaml"}
        # A volume may be in several files, and goes only with the last of them.
        kept = [data for path, data in self.tree.data.items() if path not in compose and syntax_of(path) == "yaml"]
        before = [parse_existing(change.before, change.path) for change in compose.values()]
        after = [self.tree.data[change.path] for change in compose.values() if change.after is not None]
        changes = compare([*kept, *before], [*kept, *after]) if compose else []
        router = self.host.stack.router
        if router is not None and router.reloads:
            changes = list(without_reloader(changes, router.service, router.reload_service))
        return tuple(sorted(changes, key=lambda change: change.project != self.host.project))


def parse_existing(text: str | None, path: str) -> dict[str, Any]:
    """Return the data of a file that is on disk; none where there is no file or somebody's edit has broken it."""
    try:
        data = parse(text or "", path)
    except (InternalError, ValueError, RecursionError):  # such as a date that is none
        return {}
    return data if isinstance(data, dict) and not ("*" in (text or "") and _is_huge(data)) else {}


def _is_huge(data: Any) -> bool:
    """Tell whether data has more values than a person writes, as aliases of aliases make them."""
    level, count = [data], 0
    while level and count <= _MOST_VALUES:
        level = list(islice(chain.from_iterable(map(_children, level)), _MOST_VALUES + 1))
        count += len(level)
    return count > _MOST_VALUES


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
