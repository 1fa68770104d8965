"""The files besides its inventory that a host is rendered from, with what has been edited in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.inventory.lock_file import LOCKS
from anvil_gen.inventory.toml_file import Document
from anvil_gen.review.sources import Source, data_files, locks_and_hosts
from anvil_gen.review.toml_edits import Edit, edits

Before = Callable[[Sequence[str]], Iterable[bytes | None]]
"""Returns what files of a fleet held before, by their paths in it; None for those that were not there."""
TEMPLATES = "templates"
_HELD = (("images", "digest"), ("models", "commit"))
"""What of a lock's entries something is rendered by."""


class EditedFile(Struct, frozen=True, kw_only=True):
    """A file that was another one before, and its edits."""

    source: Source
    edits: tuple[Edit, ...]


def edited_files(plan: Plan, generator: Generator, before: Before) -> Iterator[EditedFile]:
    """Yield the locks, the other hosts and the fleet's own data that were others before.

    What is of a group is in the inventory already.
    """
    root = fleet_root(plan.host.path)
    sources = [source for source in locks_and_hosts(plan, generator) if source.document.path != plan.host.path]
    if (root / TEMPLATES).is_dir():
        sources += data_files(plan, generator)
    paths = {source.document.path.absolute(): source for source in sources}
    found = {path.relative_to(root).as_posix(): one for path, one in paths.items() if path.is_relative_to(root)}
    for source, content in zip(found.values(), before([*found]) if found else (), strict=False):
        edited = tuple(_edits(source.document, content))
        if edited:
            yield EditedFile(source=source, edits=edited)


def _edits(document: Document, content: bytes | None) -> Iterator[Edit]:
    is_lock = document.path.parent.name == LOCKS
    if content is None and not is_lock:  # without another host, or data of one's own, nothing is rendered
        return
    with suppress(DiagnosticError):
        before = Document(document.path, text=(content or b"").decode("utf-8", "replace")).data
        yield from _lock_edits(before, document.data) if is_lock else edits(before, document.data)


def _lock_edits(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Edit]:
    for table, key in _HELD:
        old, new = before.get(table, {}), after.get(table, {})
        for name in dict.fromkeys((*new, *old)):
            if (name in old) != (name in new):
                yield Edit(path=(table, name), before=old.get(name), after=new.get(name))
            elif old[name].get(key) != new[name].get(key):
                yield Edit(path=(table, name, key), before=old[name].get(key), after=new[name].get(key))
