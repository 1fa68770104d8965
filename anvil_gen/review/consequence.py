"""What happens to each service at the next ``docker compose up -d``, mode by mode, by what its compose files say."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from anvil_gen.deploy.compose_diff import ROUTES, Action, Address, Change, compare, is_same, recreated, without_reloader
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.resolve.model import EXPERIMENT_FILE, Tree
from anvil_gen.resolve.relative_paths import moved_texts, moved_volume
from anvil_gen.resolve.root_files import ROOT_FILE, included
from anvil_gen.resolve.router_model import digested_by
from anvil_gen.review.exposure import exposures, new_exposures
from anvil_gen.review.host_access import Exposure

Files = Mapping[str, Any]
"""Parsed compose files, by their path in the tree."""
_SHARES_NETWORK = "service:"
_ROOT = ROOT_FILE.removesuffix(".yml")


class ServiceChange(Struct, frozen=True, kw_only=True):
    """One service of one root file: what happens to it, and what of it changes.

    ``root`` is the first root file that has it, the default mode's before all others; ``exposures`` are what of it is
    new that a reviewer must not overlook, ``usual`` those of them that another service of the host had before;
    ``notes`` are for people. ``last_start`` is how many seconds it took on this host until it was ready, when it
    started last; None where that is not known.
    """

    service: str
    project: str
    root: str
    consequence: Consequence
    changes: tuple[Change, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    exposures: tuple[Exposure, ...] = ()
    usual: tuple[Exposure, ...] = ()
    notes: tuple[str, ...] = ()
    last_start: float | None = None


def compose(tree: Tree) -> dict[str, Any]:
    """Return the parsed compose files of a tree, by path."""
    return {path: data for path, data in tree.data.items() if syntax_of(path) == "yaml"}


def service_changes(before: Files, after: Files) -> list[ServiceChange]:
    """Return the services that differ, those of the default mode first; of other modes what is else there."""
    found: list[ServiceChange] = []
    told: set[tuple[str, Address]] = set()
    for root in sorted({*roots(before), *roots(after)}, key=lambda path: (path != ROOT_FILE, path)):
        for one in _of_root(root, before, after):
            places = {(one.service, what) for what in (*(change.address for change in one.changes), *one.exposures)}
            if not places <= told and not _is_of_default(one, found):
                found.append(one)
            told |= places
    return [*found, *_of_no_root(before, after, {one.service for one in found})]


def _is_of_default(one: ServiceChange, found: Iterable[ServiceChange]) -> bool:
    """Tell whether a service only comes to another mode, or leaves one: in the default mode it is told of."""
    return one.consequence in (Consequence.START, Consequence.STOP) and any(one.service == it.service for it in found)


def roots(files: Iterable[str]) -> list[str]:
    """Return the root files among paths: one a mode, and the experiment's."""
    return [path for path in files if path.startswith(_ROOT) and "/" not in path]


def _included(root: str, files: Files) -> list[Mapping[str, Any]]:
    """Return a root file and what it includes; what somebody's edit has made of either is passed over."""
    own = files.get(root) or {}
    return [own, *(_as_of(path, base, files[path]) for path, base in included(own) if files.get(path))]


def _as_of(path: str, base: str, file: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a file whose relative paths are from another folder than its own as if they were from its own."""
    if base == posixpath.dirname(path):
        return file
    way = posixpath.join("../" * path.count("/"), base)

    def move(written: str) -> str:
        return posixpath.normpath(posixpath.join(way, written)) if written.startswith(".") else written

    moved = {"services": moved_texts, "volumes": moved_volume}
    tables = {kind: file[kind] for kind in moved if isinstance(file.get(kind), Mapping)}
    return {
        **file,
        **{
            kind: {name: moved[kind](keys, move) if isinstance(keys, Mapping) else keys for name, keys in table.items()}
            for kind, table in tables.items()
        },
    }


def services_in(files: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the services of parsed compose files, by name."""
    services = (file.get("services") for file in files)
    found = [one for one in services if isinstance(one, Mapping)]
    return {
        str(name): service if isinstance(service, Mapping) else {} for one in found for name, service in one.items()
    }


def _of_root(root: str, before: Files, after: Files) -> Iterator[ServiceChange]:
    old, new = _included(root, before), _included(root, after)
    yield from _changed(root, old, new, runs=root != EXPERIMENT_FILE)


def _of_no_root(before: Files, after: Files, known: set[str]) -> Iterator[ServiceChange]:
    """Yield the services that no mode runs, neither before nor after."""
    known = known.union(
        name for files in (before, after) for root in roots(files) for name in services_in(_included(root, files))
    )
    files = [[file for path, file in sorted(side.items()) if "/" in path] for side in (before, after)]
    if all(services_in(side).keys() <= known for side in files):
        return
    yield from (one for one in _changed("", *files, runs=False) if one.service not in known)


def _changed(
    root: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], *, runs: bool
) -> Iterator[ServiceChange]:
    services = services_in(old), services_in(new)
    changes = compare(old, new)
    for reloader, router in reloaders({**services[0], **services[1]}).items():
        changes = list(without_reloader(changes, router, reloader))
    as_declared = is_same(_besides_services(old), _besides_services(new))
    for name in dict.fromkeys((*services[1], *services[0])):
        own = tuple(change for change in changes if change.service == name)
        before, after = services[0].get(name, {}), services[1].get(name, {})
        if not own and as_declared and is_same(before, after):
            continue
        found = new_exposures((before, old), (after, new))
        if own or found:  # what a file declares of a volume is no change of the service
            yield ServiceChange(
                service=name,
                project=own[0].project if own else "",
                root=root,
                consequence=consequence_of(own) if own and runs else Consequence.NONE,
                changes=own,
                before=before,
                after=after,
                exposures=found,
                usual=tuple(_usual(found, services[0], old)),
            )


def _usual(
    found: Sequence[Exposure], before: Mapping[str, Mapping[str, Any]], files: Sequence[Mapping[str, Any]]
) -> Iterator[Exposure]:
    """Yield the exposures that some service of the host had before."""
    known = {one for service in before.values() for one in exposures(service, files)} if found else set()
    return (one for one in found if one in known)


def _besides_services(files: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what files declare besides services, such as networks."""
    found: dict[str, Any] = {}
    for file in files:
        for key, table in file.items():
            if key != "services" and isinstance(table, Mapping):
                found.setdefault(str(key), {}).update(table)
    return found


def reloaders(services: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the services that reload a router, each with the router whose network it shares."""
    return {
        name: str(service.get("network_mode")).removeprefix(_SHARES_NETWORK)
        for name, service in services.items()
        if isinstance(service.get("environment"), Mapping) and any(map(digested_by, service["environment"]))
    }


def consequence_of(changes: Sequence[Change]) -> Consequence:
    """Return what the changes of one service that is in a mode make of its container."""
    whole = {change.action for change in changes if len(change.address) == 2}
    if whole:
        return Consequence.START if Action.CREATE in whole else Consequence.STOP
    if recreated(changes, changes[0].project):
        return Consequence.RECREATE
    if any(change.address[2] == ROUTES for change in changes):
        return Consequence.RELOAD
    if any(change.address[2] in ("build", "pull_policy") for change in changes):
        return Consequence.PULL_OR_BUILD
    return Consequence.NONE
