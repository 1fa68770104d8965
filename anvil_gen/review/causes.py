"""Why a service changes: the line that somebody edited, or else the template, lock, file, host or version.

An edit is the cause of a change where the change is not there once the edit is taken back: the inventory is rendered
without it, and compared. So nothing here has to know what a key is for, and what follows in another service, as a route
of the router, is found as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import reduce
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.deploy.compose_diff import ROUTES, Cause, Change, compare
from anvil_gen.inventory.toml_file import Document
from anvil_gen.resolve.model import FILE_LABEL, Stack, Tree
from anvil_gen.review.consequence import ServiceChange, compose, service_changes
from anvil_gen.review.edited_files import EditedFile
from anvil_gen.review.toml_edits import Edit, reverted, value_text
from anvil_gen.text.masking import MASK, secret_part
from anvil_gen.values import KeyPath, address

MOST_EDITS = 16
"""Edits that are taken back one by one; more are told by the table that they are in."""

Place = tuple[str, tuple[str, ...]]
"""A service, and what of it."""
Render = Callable[[Mapping[str, Any]], Tree | None]
"""Renders a host by other data of a file; None where they are not valid."""


class Elsewhere(Struct, frozen=True, kw_only=True):
    """What else differs that a tree is rendered from, besides its inventory."""

    templates: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    version: str = ""


class Inputs(Struct, frozen=True, kw_only=True):
    """What is known of how the files before came about.

    ``edits`` is None where the inventory of that time is not known; ``render`` returns the tree of another inventory,
    and None where that has errors. ``further`` are other files that were edited, and ``program`` the places that
    another anvil-gen has rendered otherwise.
    """

    document: Document
    stack: Stack
    after: Tree
    edits: tuple[Edit, ...] | None
    elsewhere: Elsewhere
    render: Render
    further: tuple[EditedFile, ...] = ()
    program: frozenset[Place] = frozenset()


class Effect(Struct, frozen=True, kw_only=True):
    """An edit with what it changes, alone or with others that it needs; None where that is not known.

    One that is idle changes no file.
    """

    edit: Edit
    document: Document
    places: Set[Place] | None = None
    is_alone: bool = True
    is_idle: bool = False


def with_causes(services: Sequence[ServiceChange], inputs: Inputs) -> list[ServiceChange]:
    """Return changes of services, each with its cause."""
    return explained(services, inputs)[0]


def explained(services: Sequence[ServiceChange], inputs: Inputs) -> tuple[list[ServiceChange], tuple[Cause, ...]]:
    """Return changes of services, each with its cause, and the edits of the inventory that change no file."""
    effects = list(_effects(inputs, is_changed=bool(services)))
    idle = tuple(_of_effect(one, inputs) for one in effects if one.is_idle and one.document is inputs.document)
    renamed = _renamed(services, effects)
    effects = [_also_by_new_names(effect, renamed) for effect in effects]
    services = [_with_differences(one, renamed.get(one.service)) for one in services]
    return [
        replace(
            one,
            changes=tuple(
                replace(change, cause=cause)
                for change in one.changes
                for cause in _causes(one, change, inputs, effects)
            ),
        )
        for one in services
    ], idle


def _renamed(services: Sequence[ServiceChange], effects: Sequence[Effect]) -> dict[str, ServiceChange]:
    """Return the names of services that renames have made, each with the service that goes."""
    found = {}
    for places in (it.places for it in effects if it.edit.is_rename and it.places is not None):
        whole = [one for one in services if (one.service, ()) in places]
        new, old = [one for one in whole if not one.before], [one for one in whole if not one.after]
        if len(new) == len(old) == 1:
            found[new[0].service] = old[0]
    return found


def _also_by_new_names(effect: Effect, renamed: Mapping[str, ServiceChange]) -> Effect:
    """Return an effect that is in a renamed service as well as in the one that it was."""
    if not effect.places or not renamed:
        return effect
    names = {old.service: new for new, old in renamed.items()}
    also = {(names[name], rest) for name, rest in effect.places if rest and name in names}
    return replace(effect, places=effect.places | also)


def _with_differences(one: ServiceChange, old: ServiceChange | None) -> ServiceChange:
    """Return a service with what of it is another one than of the service that it was before its rename."""
    if old is None:
        return one
    before, after = ({"name": one.project, "services": {one.service: it}} for it in (old.before, one.after))
    return replace(one, changes=(*one.changes, *compare([before], [after])))


def _effects(inputs: Inputs, *, is_changed: bool) -> Iterator[Effect]:
    """Yield the edits with what they change; of other files than the inventory those that can be tried."""
    edits, document = inputs.edits or (), inputs.document
    is_only = is_changed and len(edits) == 1 and inputs.elsewhere == Elsewhere() and not inputs.further
    if is_only or len(edits) > MOST_EDITS or not all(edit.path for edit in edits):  # without a path: a new host
        yield from (Effect(edit=edit, document=document) for edit in edits)
    else:
        yield from _effects_of(edits, document, inputs.render, inputs.after)
    for file in inputs.further:
        own, source = file.edits[:MOST_EDITS], file.source
        found = _effects_of(own, source.document, source.tree, inputs.after)
        yield from (effect for effect in found if effect.places is not None)


def _effects_of(edits: Sequence[Edit], document: Document, render: Render, after: Tree) -> Iterator[Effect]:
    """Yield the edits of a file with what they change, together those that are not valid without each other."""
    tried = {edit.path: _tried(edit, edits, document, render, after) for edit in edits}
    together = [edit for edit in edits if tried[edit.path] is None]
    trials = (render(reduce(reverted, some, document.data)) for some in (together, edits) if together)
    before = next((tree for tree in trials if tree is not None), None)
    places = None if before is None else _places(before, after)
    for edit in edits:
        yield tried[edit.path] or Effect(edit=edit, document=document, places=places, is_alone=False)


def _tried(edit: Edit, edits: Sequence[Edit], document: Document, render: Render, after: Tree) -> Effect | None:
    """Return what an edit changes: taken back, or made alone where others need it; None where neither is valid."""
    data = document.data
    before = render(reverted(data, edit))
    if before is None:
        alone = render(reduce(reverted, (other for other in edits if other is not edit), data))
        before = None if alone is None else render(reduce(reverted, edits, data))
        if alone is None or before is None:
            return None
        after = alone
    return Effect(edit=edit, document=document, places=_places(before, after), is_idle=before.files == after.files)


def _places(before: Tree, after: Tree) -> Set[Place]:
    """Return the places in which two trees differ."""
    return {place for one in service_changes(compose(before), compose(after)) for place in places_of(one)}


def places_of(one: ServiceChange) -> Iterator[Place]:
    """Yield the places in which a service changes."""
    yield from ((one.service, change.address[2:]) for change in one.changes)


def _causes(one: ServiceChange, change: Change, inputs: Inputs, effects: Sequence[Effect]) -> Sequence[Cause | None]:
    """Return the cause of a change; of routes every one, since a digest stands for all that a tier has of them."""
    place = (one.service, change.address[2:])
    nearest = _by_distance(place, inputs, effects)
    found = [it for it in nearest if it.places is not None and _is_among(place, it.places)]
    if found and place[1][:1] == (ROUTES,):
        first = next((it for it in found if not it.is_alone), None)
        return [_of_effect(it, inputs) for it in found if it.is_alone or it is first]
    if found:
        return [_of_effect(found[0], inputs)]
    if _is_among(place, inputs.program):
        return [Cause(file=inputs.elsewhere.version, key="version")]
    table = table_of(one.service, inputs.stack)
    unproven = _unproven([it for it in nearest if it.places is None], table)
    if unproven is not None:
        return [_of_effect(unproven, inputs)]
    return [_of_elsewhere(one, change, inputs) or _by_value(one, change, table, inputs)]


def _by_distance(place: Place, inputs: Inputs, effects: Sequence[Effect]) -> list[Effect]:
    """Return edits by how near they are to a place.

    What is written for a service itself is nearer than what all have in common, and what changes less more telling; of
    what changes alike, a key of its own before its table, but the table of another service.
    """
    table = table_of(place[0], inputs.stack)

    def distance(effect: Effect) -> tuple[bool, bool, bool, int, int]:
        is_own = effect.document is inputs.document and effect.edit.path[: len(table)] == table
        is_name = effect.edit.is_rename and not place[1]
        places, depth = effect.places or (), len(effect.edit.path)
        return not is_own, place not in places, not is_name, len(places), -depth if is_own else depth

    return sorted(effects, key=distance)


def _is_among(place: Place, places: Set[Place]) -> bool:
    service, rest = place
    return place in places or (service, ()) in places or (not rest and any(service == name for name, _ in places))


def _unproven(effects: Sequence[Effect], table: KeyPath) -> Effect | None:
    """Return an edit among those that could not be tried, one of the service's own table before others.

    Of others a whole table, since what a tier has of its own rarely changes another service.
    """
    own = [it for it in effects if table and it.edit.path[: len(table)] == table]
    return next(iter(own), None) or min(effects, key=lambda it: len(it.edit.path), default=None)


def table_of(service: str, stack: Stack) -> KeyPath:
    """Return the inventory's table that a service is from; empty for one that it no longer has."""
    tables: dict[str, KeyPath] = {tier.service.name: ("tiers", tier.name) for tier in stack.tiers}
    tables |= {extra.name: extra.table for extra in stack.services}
    if stack.router is not None:
        tables[stack.router.service] = ("router",)
    if stack.experiment is not None:
        tables[stack.experiment.service.name] = ("experiment",)
    return tables.get(service, ())


def _of_effect(effect: Effect, inputs: Inputs) -> Cause:
    edit, shown = effect.edit, (effect.edit.before, effect.edit.after)
    if secret_part(edit.path) is not None:
        shown = (MASK if edit.before is not None else None, MASK if edit.after is not None else None)
    found = _in_document(edit.path, effect.document, *shown)
    return replace(found, is_elsewhere=effect.document is not inputs.document, is_rename=edit.is_rename)


def _in_document(path: KeyPath, document: Document, before: Any = None, after: Any = None) -> Cause:
    # Of a table that is gone, the next one is nobody's cause.
    is_gone = len(path) <= 2 and after is None and before is not None
    place = document.location(path, key=True)
    return Cause(file=place.file, line=None if is_gone else place.line, key=address(path), before=before, after=after)


def _of_elsewhere(one: ServiceChange, change: Change, inputs: Inputs) -> Cause | None:
    """Return the cause outside the inventory, by what else differs; None where nothing does."""
    found = inputs.elsewhere
    if change.address[2:3] == ("labels",) and change.address[-1].startswith(FILE_LABEL) and found.files:
        target = change.address[-1].rpartition("/")[2]
        return Cause(file=next((file for file in found.files if file.endswith(target)), found.files[0]))
    kind = next((tier.engine for tier in inputs.stack.tiers if tier.service.name == one.service), "")
    own = [file for file in found.templates if f"/{kind or 'routers'}/" in file]
    for files in (own, found.templates, found.locks, found.files, found.hosts):
        if files:
            return Cause(file=files[0])
    return Cause(file=found.version, key="version") if found.version else None


def _by_value(one: ServiceChange, change: Change, table: KeyPath, inputs: Inputs) -> Cause | None:
    """Return the line that has the new value, or else the heading of the service's table."""
    if inputs.edits is not None or not table:
        return None
    for path, before, after in _rewritten(one, list(_leaves(_at(inputs.document.data, table), table))):
        whole = (before, after) == (str(change.before), str(change.after))
        # A short number is in any text.
        if whole or (len(after) > 2 and before in str(change.before) and after in str(change.after)):
            return _in_document(path, inputs.document, before, after)
    return _in_document(table, inputs.document)


def _rewritten(one: ServiceChange, leaves: Sequence[tuple[KeyPath, str]]) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield the keys whose value is all of what a service has now in some place, with the values before and after."""
    for change in one.changes:
        if change.before is not None and change.after is not None and secret_part(change.address) is None:
            found = (path for path, value in leaves if value == str(change.after))
            yield from ((path, str(change.before), str(change.after)) for path in found)


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data.get(part, {})
    return data


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield path, value_text(value)
