"""Pinning a host: what its lock lacks is asked for, what it has is kept, and the rest goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from msgspec import UNSET, Struct

from anvil_gen.catalog.architectures import Architectures, architectures
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, did_you_mean, join_words
from anvil_gen.inventory.lock_file import Lock, read_lock
from anvil_gen.pin.changes import Key, Pin, PinChange, changes_of, entries, lock_of, usable
from anvil_gen.pin.hub import Hub
from anvil_gen.pin.no_answer import NotAnsweredError
from anvil_gen.pin.registry import Registries
from anvil_gen.pin.wanted import Unheld, Wanted, wanted
from anvil_gen.resolve.host import Host
from anvil_gen.values import address

_AT_ONCE = 4

_Value = TypeVar("_Value")


class PinPlan(Struct, frozen=True, kw_only=True):
    """A host, the lock that it gets, and what that changes."""

    host: Host
    lock: Lock
    wanted: Sequence[Wanted]
    unheld: Sequence[Unheld]
    changes: Sequence[PinChange]


class Sources(Struct, frozen=True, kw_only=True):
    """Where digests and commits come from; the hub for a token."""

    registries: Registries
    hub: Callable[[str | None], Hub]


def sources() -> Sources:
    """Return the registries and the hub, as this user reaches them."""
    return Sources(registries=Registries(), hub=Hub)


def plan_pins(host: Host, asked_of: Sources, update: Collection[str] | None = ()) -> PinPlan:
    """Ask for what a host's lock lacks, and for all that the tiers ``update`` run; for None, of everybody.

    Raises:
        DiagnosticError: with everything that nobody could answer, each where the inventory names it.
    """
    found, unheld = wanted(host)
    _check_owners(found, update)
    known = usable(host, entries(read_lock(host.path)))
    again = {(one.kind, one.name) for one in found if update is None or one.owner in update}
    missing = {(one.kind, one.name): one for one in reversed(found)}
    asked = [one for key, one in missing.items() if key in again or key not in known]
    hub, known_kinds = hub_of(host, asked_of), architectures(host.catalog)
    answers = ask_all(host, asked, lambda one: _ask(host, asked_of.registries, hub, known_kinds, one))
    new = {key: answers.get(key) or known[key] for key in missing}
    return PinPlan(host=host, lock=lock_of(new), wanted=found, unheld=unheld, changes=changes_of(found, known, new))


def ask_all(host: Host, asked: Iterable[Wanted], ask: Callable[[Wanted], _Value]) -> dict[Key, _Value]:
    """Return the answers, several asked at a time.

    Raises:
        DiagnosticError: with everything that was not answered, each where the inventory names it.
    """

    def answer(one: Wanted) -> _Value | NotAnsweredError:
        try:
            return ask(one)
        except NotAnsweredError as error:
            return error

    items = list(asked)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(answer, items))
    # Not in the threads: places are found by a parser that several must not use at a time.
    pairs = list(zip(items, answers, strict=True))
    diagnostics = [place_error(host, one, found) for one, found in pairs if isinstance(found, NotAnsweredError)]
    if diagnostics:
        raise DiagnosticError(sorted(diagnostics, key=lambda one: (one.address, one.detail)))
    return {(one.kind, one.name): found for one, found in pairs if not isinstance(found, NotAnsweredError)}


def hub_token(host: Host) -> str | None:
    """Return the value of the variable that the inventory names for the hub's token; None leaves it to the client."""
    name = host.inventory.hfcache.token_env
    return None if name is UNSET else os.environ.get(str(name)) or None


def hub_of(host: Host, asked_of: Sources) -> Hub:
    """Return the hub as a host's user asks it."""
    return asked_of.hub(hub_token(host))


def _ask(host: Host, registries: Registries, hub: Hub, known: Architectures, one: Wanted) -> Pin:
    if one.kind == "images":
        return registries.pin(one.name, host.options.architecture)
    return hub.pin(one.repo, one.revision, known)


def _check_owners(found: Sequence[Wanted], update: Collection[str] | None) -> None:
    known = {one.owner for one in found}
    diagnostics = [
        Diagnostic(
            code="unknown-tier",
            detail=f'"{name}" runs nothing that is held (defined: {join_words(known)})',
            remedy=did_you_mean(name, known) or "name one of them",
        )
        for name in update or ()
        if name not in known
    ]
    if diagnostics:
        raise DiagnosticError(diagnostics)


def place_error(host: Host, one: Wanted, error: NotAnsweredError) -> Diagnostic:
    """Return what was not answered as an error, where the inventory names it."""
    return Diagnostic(
        code=error.code,
        detail=error.detail,
        remedy=error.remedy,
        address=address(one.path),
        location=host.collector.document.location(one.path),
    )
