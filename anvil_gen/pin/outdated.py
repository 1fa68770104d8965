"""What has moved since a host was pinned, what newer releases there are, and what an inventory would break on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.inventory.lock_file import Lock, read_lock
from anvil_gen.pin.changes import Key, Pin, entries, held
from anvil_gen.pin.hub import Hub
from anvil_gen.pin.image_reference import newer_tags, parse_image
from anvil_gen.pin.pins import Sources, ask_all, hub_of
from anvil_gen.pin.registry import Registries
from anvil_gen.pin.wanted import Wanted, wanted
from anvil_gen.resolve.host import Host


class Newer(Struct, frozen=True, kw_only=True):
    """A newer release of an image, and the errors that the inventory would have with it."""

    tag: str
    breaks: Sequence[Diagnostic]


class Outdated(Struct, frozen=True, kw_only=True):
    """An image or a model, as it is held and as it is now.

    ``held`` is empty where the lock has no entry. ``gone``: its registry no longer has what it is held to.
    """

    kind: str
    name: str
    owners: tuple[str, ...]
    held: str
    now: str
    gone: bool = False
    newer: Newer | None = None

    @property
    def is_current(self) -> bool:
        """Whether there is nothing to do."""
        return self.held == self.now and not self.gone and self.newer is None


class _Answer(Struct, frozen=True, kw_only=True):
    now: str
    gone: bool = False
    newer: str = ""


def outdated(host: Host, sources: Sources) -> list[Outdated]:
    """Return each image and model of a host, with what is known of it now.

    Raises:
        DiagnosticError: with everything that nobody could answer, each where the inventory names it.
    """
    found, _ = wanted(Host(host.path, host.catalog, lock=Lock()))
    known = entries(read_lock(host.path))
    owners: dict[Key, dict[str, None]] = {}
    for one in found:
        owners.setdefault((one.kind, one.name), {})[one.owner] = None
    first = {(one.kind, one.name): one for one in reversed(found)}
    hub = hub_of(host, sources)
    answers = ask_all(host, first.values(), lambda one: _ask(sources.registries, hub, one, known))
    return [
        Outdated(
            kind=key[0],
            name=key[1],
            owners=tuple(names),
            held=held(known[key]) if key in known else "",
            now=answers[key].now,
            gone=answers[key].gone,
            newer=_newer(host, key[1], answers[key].newer),
        )
        for key, names in sorted(owners.items())
    ]


def _ask(registries: Registries, hub: Hub, one: Wanted, known: Mapping[Key, Pin]) -> _Answer:
    pin = known.get((one.kind, one.name))
    if one.kind == "models":
        return _Answer(now=hub.commit(one.repo, one.revision))
    tag = parse_image(one.name).tag
    now = registries.digest(one.name)
    moved = pin is not None and held(pin) != now
    newer = newer_tags(tag, registries.tags(one.name))
    gone = moved and pin is not None and not registries.has(one.name, held(pin))
    return _Answer(now=now, gone=gone, newer=newer[0] if newer else "")


def _newer(host: Host, name: str, tag: str) -> Newer | None:
    if not tag:
        return None
    return Newer(tag=tag, breaks=breaks(host, {name: f"{name.rpartition(':')[0]}:{tag}"}))


def breaks(host: Host, replaced: Mapping[str, str]) -> list[Diagnostic]:
    """Return the errors and warnings that an inventory has with other images, and not with its own."""
    before = {(one.code, one.address, one.detail) for one in _found(host, {})}
    return [one for one in _found(host, replaced) if (one.code, one.address, one.detail) not in before]


def _found(host: Host, replaced: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    try:
        return Host(host.path, host.catalog, lock=Lock(replaced=replaced)).warnings
    except DiagnosticError as error:
        return error.diagnostics
