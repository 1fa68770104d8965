"""Where the lock of a host and its inventory differ; nobody is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from anvil_gen.inventory.lock_file import ImagePin, Lock, ModelPin, read_lock
from anvil_gen.pin.wanted import Kind, Wanted, wanted
from anvil_gen.resolve.host import Host

Pin = ImagePin | ModelPin
Key = tuple[Kind, str]


class PinChange(Struct, frozen=True, kw_only=True):
    """An entry that comes, changes or goes; what it holds is empty where there is none."""

    action: Literal["add", "update", "remove"]
    kind: Kind
    name: str
    before: str
    after: str
    owners: tuple[str, ...]


def entries(lock: Lock) -> dict[Key, Pin]:
    """Return the entries of a lock, images and models alike."""
    found: dict[Key, Pin] = {("images", name): pin for name, pin in lock.images.items()}
    return {**found, **{("models", name): pin for name, pin in lock.models.items()}}


def lock_of(found: Mapping[Key, Pin]) -> Lock:
    """Return the lock with some entries."""
    return Lock(
        images={name: pin for (_, name), pin in sorted(found.items()) if isinstance(pin, ImagePin)},
        models={name: pin for (_, name), pin in sorted(found.items()) if isinstance(pin, ModelPin)},
    )


def held(pin: Pin) -> str:
    """Return the digest or commit of an entry."""
    return pin.digest if isinstance(pin, ImagePin) else pin.commit


def check_pins(host: Host) -> list[PinChange]:
    """Return where a host's lock and its inventory differ, without asking anybody; what is kept is left out."""
    found, _ = wanted(host)
    known = usable(host, entries(read_lock(host.path)))
    return changes_of(found, known, {key: known[key] for one in found if (key := (one.kind, one.name)) in known})


def usable(host: Host, known: Mapping[Key, Pin]) -> dict[Key, Pin]:
    """Return the entries that are none of another platform's image."""
    wanted_platform = f"linux/{host.options.architecture}"
    return {
        key: pin
        for key, pin in known.items()
        if isinstance(pin, ModelPin) or not pin.platforms or _has(pin.platforms, wanted_platform)
    }


def _has(platforms: Iterable[str], platform: str) -> bool:
    return any(one == platform or one.startswith(f"{platform}/") for one in platforms)


def changes_of(found: Sequence[Wanted], before: Mapping[Key, Pin], after: Mapping[Key, Pin]) -> list[PinChange]:
    """Return what differs between two sets of entries, of which those of ``found`` are run."""
    owners: dict[Key, list[str]] = {}
    for one in found:
        owners.setdefault((one.kind, one.name), []).append(one.owner)
    changes = []
    for key in sorted({*before, *owners}):
        old, new = before.get(key), after.get(key)
        if key in owners and old is not None and old == new:
            continue
        changes.append(
            PinChange(
                action="remove" if key not in owners else "add" if old is None else "update",
                kind=key[0],
                name=key[1],
                before=held(old) if old is not None else "",
                after=held(new) if new is not None else "",
                owners=tuple(dict.fromkeys(owners.get(key, ()))),
            )
        )
    return changes
