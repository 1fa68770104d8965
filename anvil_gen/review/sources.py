"""What a tree is rendered from, value by value, and what each value changes: the one proof behind `plan` and `explain`.

Whether a value is a cause is tried: the tree is rendered with another value in its place, and compared. So nothing here
has to know what a key is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from anvil_gen.catalog.defaults import DEFAULTS
from anvil_gen.catalog.template_tree import KINDS
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import DiagnosticError, InternalError, display_path
from anvil_gen.inventory.fleet import GROUPS, fleet_root, neighbours, stem_of
from anvil_gen.inventory.group_files import group_file, group_paths
from anvil_gen.inventory.lock_file import Lock, fleet_lock_path, lock_path
from anvil_gen.inventory.toml_file import Document
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.model import Tree
from anvil_gen.review.rendered_values import Place, differing, leaves
from anvil_gen.review.toml_edits import Edit, reverted, toml_text
from anvil_gen.values import KeyPath, Number

Render = Callable[[dict[str, Any]], Plan]
"""Renders the host by other data of a file."""
_WORDS = {"linux": "wsl2", "chat": "embedding", "host": "private", "unless-stopped": "always"}
"""What stands for a word where only certain ones are allowed."""
_NO_VALUES = {"schema", "lock", "unset"}
"""Keys that say how a file is to be read."""
_LAST_DIGIT = lazy_pattern(r"\d(?=\D*$)")


class Source:
    """One file that a tree is rendered from."""

    def __init__(self, document: Document, tree: Tree, render: Render) -> None:
        """Take a file, and what renders the host by other data of it."""
        self.document = document
        self._tree = tree
        self._render = render
        self._effects: dict[KeyPath, frozenset[Place]] = {}
        self._without: dict[KeyPath, frozenset[Place]] = {}

    @property
    def engine(self) -> str:
        """The engine whose data it has; empty for any other file."""
        folder, _, rest = self.document.display.removeprefix("templates/").partition("/")
        return rest.partition("/")[0] if folder == "engines" else ""

    @property
    def _is_roster(self) -> bool:
        """Whether no key can be taken from it: an option without a default cannot be read."""
        return self.document.display == f"templates/{DEFAULTS}"

    @cached_property
    def values(self) -> dict[KeyPath, Any]:
        """Every value of the file that can be another one."""
        return {path: value for path, value in leaves(self.document.data) if path and not _NO_VALUES & {*path}}

    @cached_property
    def _siblings(self) -> dict[str, tuple[str, ...]]:
        """Names of entries, each with all of its table: a value that names a GPU can name another one."""
        tables = [table for table in self.document.data.values() if isinstance(table, dict)]
        return {name: tuple(table) for table in tables for name, item in table.items() if isinstance(item, dict)}

    def effects(self, path: KeyPath, default: Any = None) -> frozenset[Place]:
        """Return the rendered values that are others where this one is; none where no other value is valid.

        ``default`` is what a key is that the file does not have.
        """
        if path not in self._effects:
            edits = (Edit(path=path, before=other, after=None) for other in self._others(path, default))
            found = (self._differing(edit) for edit in edits)
            self._effects[path] = next((places for places in found if places is not None), frozenset())
        return self._effects[path]

    def _at(self, path: KeyPath) -> Any:
        value: Any = self.document.data
        for key in path:
            value = value[int(key)] if isinstance(value, list) else (value or {}).get(key)
        return value

    def without(self, path: KeyPath) -> frozenset[Place]:
        """Return the rendered values that are others where this key is not there."""
        if path not in self._without:
            removed = None if self._is_roster else self._differing(Edit(path=path, before=None, after=None))
            self._without[path] = removed or frozenset()
        return self._without[path]

    def _others(self, path: KeyPath, default: Any) -> Iterator[Any]:
        value = self._at(path)
        value = default if value is None else value
        yield from _others(value)
        yield from (name for name in self._siblings.get(str(value), ()) if name != value)
        if not self._is_roster:
            yield None

    def tree(self, data: Mapping[str, Any]) -> Tree | None:
        """Return what other data of the file render; None where they are not valid."""
        try:
            return self._render(dict(data)).tree
        except (DiagnosticError, InternalError, KeyError):  # KeyError: of a placeholder that is not there
            return None

    def _differing(self, edit: Edit) -> frozenset[Place] | None:
        """Return the values that an edit changes; None where it is not valid."""
        changed = self.tree(reverted(self.document.data, edit))
        return None if changed is None else frozenset(differing(self._tree, changed))


def sources_of(plan: Plan, generator: Generator) -> Iterator[Source]:
    """Yield the files that a host's tree is rendered from: the nearest first."""
    path, document = plan.host.path, plan.host.collector.document
    yield Source(document, plan.tree, lambda data: generator.render(path, text=toml_text(data), whole=True))
    yield from locks_and_hosts(plan, generator)
    yield from (_group(plan, generator, rank.group) for rank in plan.host.ranks.values())
    yield from data_files(plan, generator)


def locks_and_hosts(plan: Plan, generator: Generator) -> Iterator[Source]:
    """Yield a host's locks, and the other hosts that it depends on."""
    yield from _locks(plan, generator)
    members = {member.host for rank in plan.host.ranks.values() for member in rank.members}
    for other in neighbours(plan.host.path) if plan.host.peers or members else ():
        if plan.host.peers or stem_of(other) in members:
            yield _other_host(plan, generator, other)


def data_files(plan: Plan, generator: Generator) -> Iterator[Source]:
    """Yield the data of the engines, the router and the GPUs that a host has."""
    stack, catalog = plan.host.stack, plan.host.catalog
    engines = [tier.engine for tier in stack.tiers] + ([stack.experiment.engine] if stack.experiment else [])
    names = {
        "engines": engines,
        "routers": [stack.router.kind] if stack.router is not None else [],
        "gpus": [gpu.vendor for gpu in stack.gpus],
    }
    files = [f"{kind}/{name}/{KINDS[kind]}" for kind, found in names.items() for name in dict.fromkeys(found)]
    # Another flag's name is none that the engine knows.
    inventory = plan.host.collector.document.data
    text = toml_text({**inventory, "defaults": {**inventory.get("defaults", {}), "flag_check": False}})

    def render(file: str) -> Render:
        return lambda data: generator.render(
            plan.host.path, text=text, whole=True, catalog=catalog.replacing(file, toml_text(data))
        )

    for file in (*files, DEFAULTS):
        document = catalog.document(file)
        if document is not None:
            yield Source(document, plan.tree, render(file))


def _locks(plan: Plan, generator: Generator) -> Iterator[Source]:
    for file in (lock_path(plan.host.path), fleet_lock_path(plan.host.path)):
        if file.is_file():
            document = Document(file, display=display_path(file), below=file.parent.parent)
            yield Source(document, plan.tree, _with_lock(plan, generator, document.data))


def _with_lock(plan: Plan, generator: Generator, own: Mapping[str, Any]) -> Render:
    """Return what renders by other data of a file of the lock, which may have other entries in another file."""
    return lambda data: generator.render(plan.host.path, lock=_held(plan.host.lock, own, data))


def _held(lock: Lock, own: Mapping[str, Any], data: Mapping[str, Any]) -> Lock:
    """Return a lock with the digests and commits that a file of it holds."""

    def entries(table: str, pins: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
        before, after = own.get(table, {}), data.get(table, {})
        return ((name, pin, after.get(name, {})) for name, pin in pins.items() if name in after or name not in before)

    images = {
        name: replace(pin, digest=entry.get("digest", pin.digest))
        for name, pin, entry in entries("images", lock.images)
    }
    models = {
        name: replace(pin, commit=entry.get("commit", pin.commit))
        for name, pin, entry in entries("models", lock.models)
    }
    return replace(lock, images=images, models=models)


def _other_host(plan: Plan, generator: Generator, other: Path) -> Source:
    def render(data: dict[str, Any]) -> Plan:
        return generator.render(plan.host.path, others={stem_of(other): toml_text(data)})

    document = Document(other, display=display_path(other), below=fleet_root(other))
    return Source(document, plan.tree, render)


def _group(plan: Plan, generator: Generator, name: str) -> Source:
    def render(data: dict[str, Any]) -> Plan:
        return generator.render(plan.host.path, others={f"{GROUPS}/{name}": toml_text(data)})

    path = next(path for path in group_paths(plan.host.path) if stem_of(path) == name)
    return Source(group_file(path).document, plan.tree, render)


def _others(value: Any) -> Iterator[Any]:
    """Yield values to put in the place of one, the most similar first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, *([value - 1] if value > 1 else []))
    elif isinstance(value, Number):
        yield from (Number(text) for text in _texts(str(value)))
    elif isinstance(value, str):
        yield from _texts(value)
    elif isinstance(value, list) and value:
        yield value[:-1]


def _texts(text: str) -> Iterator[str]:
    if text in _WORDS:
        yield _WORDS[text]
    for step in (-1, 1, 5):
        other = _LAST_DIGIT.sub(lambda match: str((int(match[0]) + step) % 10), text)  # noqa: B023  called at once
        if other != text:
            yield other
    yield f"{text}{'X' if text.isupper() else 'x'}"
