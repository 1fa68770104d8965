"""The locks of a fleet on disk: what is equal on several hosts is in one file, and each file is whole at any moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from anvil_gen.deploy.atomic_write import write_file
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path
from anvil_gen.inventory.fleet import HOSTS, all_inventories, fleet_root
from anvil_gen.inventory.lock_file import FLEET, Lock, ModelPin, fleet_lock_path, lock_path, lock_text, read_lock
from anvil_gen.pin.changes import Key, Pin, entries, lock_of
from anvil_gen.pin.image_reference import floats, parse_image
from anvil_gen.pin.pins import PinPlan
from anvil_gen.pin.wanted import Unheld, Wanted, wanted
from anvil_gen.resolve.host import Host

_GATED = "Gated: whoever loads it needs a token of an account with access."
_CODE = "It brings code of its own, which runs where the engine is told to trust it."
_FLOATS = "It floats: the tag names no release, and moves with each one."


class _Member(Struct, frozen=True, kw_only=True):
    """A host of the fleet, and all that it is held to."""

    path: Path
    entries: Mapping[Key, Pin]
    wanted: Sequence[Wanted]
    unheld: Sequence[Unheld]


def write_locks(plan: PinPlan) -> list[Path]:
    """Write the lock of a host, and those of others where an entry is shared from now on, or is no longer.

    At any moment each host is held to what it was or will be held to: a file that takes entries over is written before
    the one that gives them away.

    Returns:
        The files that were written.

    Raises:
        DiagnosticError: a file cannot be written; all are whole.
    """
    path = plan.host.path
    if lock_path(path) == fleet_lock_path(path):
        raise _reserved(path)
    own = _Member(path=path, entries=entries(plan.lock), wanted=plan.wanted, unheld=plan.unheld)
    members = [own, *_others(plan.host)]
    shared = _shared(members)
    final = {lock_path(member.path): _own_text(member, shared) for member in members}
    steps = [final]
    fleet = fleet_lock_path(path)
    fleet_text = _fleet_text(shared)
    if fleet_text != _text(fleet) and (shared or fleet.exists()):
        whole = {lock_path(member.path): _own_text(member, {}) for member in members}
        steps = [whole, {fleet: fleet_text}, final]
    written: dict[Path, None] = {}
    for step in steps:
        for file, text in step.items():
            before = _text(file)
            if text != before:
                write_file(file, None if before is None else before.encode(), text.encode())
                written[file] = None
    return list(written)


def _others(host: Host) -> list[_Member]:
    """Return the other hosts of the fleet that have a lock."""
    if host.path.absolute().parent.name != HOSTS:
        return []
    others = [path for path in all_inventories(fleet_root(host.path)) if path.name != host.path.name]
    root = fleet_root(host.path)
    return [_member(root / HOSTS / path.name, host) for path in others if lock_path(root / HOSTS / path.name).exists()]


def _member(path: Path, host: Host) -> _Member:
    known = entries(read_lock(path))
    try:
        found, unheld = wanted(Host(path, host.catalog, lock=Lock()))
    except DiagnosticError:  # its own errors are reported where it is rendered; it keeps all that it may need
        return _Member(path=path, entries=known, wanted=(), unheld=())
    names = {(one.kind, one.name) for one in found}
    return _Member(
        path=path,
        entries={key: pin for key, pin in known.items() if key in names},
        wanted=found,
        unheld=unheld,
    )


def _shared(members: Sequence[_Member]) -> dict[Key, Pin]:
    """Return the entries that several hosts have, and none of them otherwise."""
    found: dict[Key, list[Pin]] = {}
    for member in members:
        for key, pin in member.entries.items():
            found.setdefault(key, []).append(pin)
    return {key: pins[0] for key, pins in found.items() if len(pins) > 1 and all(pin == pins[0] for pin in pins)}


def _own_text(member: _Member, shared: Mapping[Key, Pin]) -> str:
    own = {key: pin for key, pin in member.entries.items() if key not in shared}
    name = member.path.name.removesuffix(".toml")
    header = (
        f"What the images and models of hosts/{name}.toml are held to; `anvil-gen pin {name}` writes it.",
        *(("What other hosts have too is in fleet.toml.",) if shared else ()),
        *(f"Not held: {one}" for one in member.unheld),
    )
    notes = {(one.kind, one.name): one.note for one in member.wanted if one.note}
    return lock_text(lock_of(own), header, _comments(own, notes))


def _fleet_text(shared: Mapping[Key, Pin]) -> str:
    header = ("What images and models of several hosts are held to; `anvil-gen pin` writes it.",)
    return lock_text(lock_of(shared), header, _comments(shared, {}))


def _comments(found: Mapping[Key, Pin], notes: Mapping[Key, str]) -> dict[str, tuple[str, ...]]:
    comments = {key[1]: tuple(_comment(key, pin, notes.get(key, ""))) for key, pin in found.items()}
    return {name: lines for name, lines in comments.items() if lines}


def _comment(key: Key, pin: Pin, note: str) -> list[str]:
    lines = [f"Not held: {note}."] if note else []
    if isinstance(pin, ModelPin):
        lines += [_GATED] if pin.facts.get("gated") else []
        lines += [_CODE] if pin.facts.get("code") else []
    elif floats(parse_image(key[1]).tag):
        lines.append(_FLOATS)
    return lines


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def _reserved(path: Path) -> DiagnosticError:
    detail = f"locks/{FLEET}.toml has what several hosts share"
    location = Location(file=display_path(path))
    remedy = "give the inventory another file name"
    return DiagnosticError([Diagnostic(code="name-is-reserved", detail=detail, remedy=remedy, location=location)])
