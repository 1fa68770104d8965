"""What differs between two sets of compose files, per service: one value for plans, reports and drift.

Compose files are compared as canonical mappings from address to scalar: each flag, each variable, each mount has an
address of its own, so that a change is reported by what it means and not by its line.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.resolve.compose_keys import NAMED_VOLUME, by_name
from anvil_gen.resolve.model import FILE_LABEL
from anvil_gen.resolve.router_model import digested_by
from anvil_gen.text.flags import parse_flags
from anvil_gen.text.masking import secret_part

Address = tuple[str, ...]
"""``("services", "fast", "command", "--max-model-len")``"""


ROUTES = "routes"
"""Stands in an address for what a router reads again without a new container."""
_NOT_COMPARED = ("build", "pull_policy", "scale", ROUTES)
"""What Compose leaves out when it compares a service with its container; a changed build context is another tag."""

_DEEPEST = 32


class Action(Enum):
    """What happens to a service or to a part of it, by the symbol that stands for it."""

    CREATE = "+"
    UPDATE = "~"
    DELETE = "-"

    @property
    def done(self) -> str:
        """What is said of something that it has happened to."""
        return {Action.CREATE: "added", Action.UPDATE: "changed", Action.DELETE: "removed"}[self]


class Cause(Struct, frozen=True, kw_only=True):
    """What a difference follows from: a line of a file, with its key and that key's values, None where it has none.

    ``why`` is the reason that the file itself gives. It ``is_elsewhere`` where the file is not the host's inventory,
    and ``is_rename`` where its values are names of one table.
    """

    file: str
    line: int | None = None
    key: str = ""
    before: Any = None
    after: Any = None
    why: str = ""
    is_elsewhere: bool = False
    is_rename: bool = False


class Change(Struct, frozen=True, kw_only=True):
    """One difference. ``reason`` is for people, and steers nothing."""

    action: Action
    project: str
    address: Address
    before: Any = None
    after: Any = None
    reason: str = ""
    cause: Cause | None = None

    @property
    def service(self) -> str | None:
        """The service that the change belongs to; None for the project's volumes."""
        return self.address[1] if self.address[0] == "services" else None

    @property
    def secret(self) -> bool:
        """Whether its values are better not shown: those of a variable or flag whose name says so."""
        return self.address[2:3] != ("volumes",) and secret_part(self.address[2:]) is not None


def compare(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return the changes between two sets of parsed compose files, sorted by project and address."""
    one, other = _by_project(before), _by_project(after)
    return [
        change
        for project in sorted(one.keys() | other.keys())
        for change in _compare(project, one.get(project, []), other.get(project, []))
    ]


def _by_project(files: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    projects: dict[str, list[Mapping[str, Any]]] = {}
    for file in files:
        projects.setdefault(str(file.get("name", "")), []).append(file)
    return projects


def _compare(project: str, before: list[Mapping[str, Any]], after: list[Mapping[str, Any]]) -> list[Change]:
    same = _same_services(before, after)
    old, new = _canonical(before, same), _canonical(after, same)
    changes: list[Change] = []
    for address in sorted(old.keys() | new.keys()):
        one, other = old.get(address), new.get(address)
        if one == other and (address in old) == (address in new):  # None is a value: a variable taken from the shell
            continue
        action = Action.CREATE if address not in old else Action.DELETE if address not in new else Action.UPDATE
        reason = _reason(address)
        changes.append(Change(action=action, project=project, address=address, before=one, after=other, reason=reason))
    return _whole_services(project, changes, old, new)


def recreated(changes: Iterable[Change], project: str) -> list[str]:
    """Return the services of a project that stay, and whose containers the next ``up`` replaces."""
    names = {
        change.service
        for change in changes
        if change.project == project
        and change.service is not None
        and len(change.address) > 2
        and change.address[2] not in _NOT_COMPARED
    }
    return sorted(name for name in names if name is not None)


def without_reloader(changes: Iterable[Change], router: str, reloader: str) -> Iterator[Change]:
    """Yield changes without those of the service that reloads a router: its files' are the router's routes."""
    for change in changes:
        if change.service != reloader:
            yield change
        elif change.address[2:3] == ("environment",) and digested_by(change.address[3]):
            yield replace(change, address=("services", router, ROUTES, digested_by(change.address[3])))


def _reason(address: Address) -> str:
    if address[2:3] == ("labels",) and len(address) > 3 and address[3].startswith(FILE_LABEL):
        return f"{address[3].removeprefix(FILE_LABEL)} changed"
    file = digested_by(address[3]) if address[2:3] == ("environment",) and len(address) > 3 else ""
    if file:
        return f"{file} changed"
    return ""


def _whole_services(
    project: str, changes: list[Change], old: Mapping[Address, Any], new: Mapping[Address, Any]
) -> list[Change]:
    """Put one change in place of all those of a service that appears or goes.

    Somebody's empty service is one all the same: that it is no longer empty is seen by what it holds now.
    """
    before = {address[1] for address in old if address[0] == "services"}
    after = {address[1] for address in new if address[0] == "services"}
    stays = before & after
    kept = [c for c in changes if c.service is None or (c.service in stays and len(c.address) > 2)]
    kept += [Change(action=Action.CREATE, project=project, address=("services", name)) for name in after - before]
    kept += [Change(action=Action.DELETE, project=project, address=("services", name)) for name in before - after]
    return sorted(kept, key=lambda change: change.address)


def _same_services(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the services of which nothing differs: most, of which no key needs to be looked at."""
    old, new = ({name: entry for _, name, entry in _entries(files, "services")} for files in (before, after))
    return {name for name in old.keys() & new.keys() if is_same(old[name], new[name])}


def is_same(one: Any, other: Any) -> bool:
    """Tell whether parsed values are the same; what an alias of YAML makes hold itself is the same as nothing."""
    try:
        return bool(one == other)
    except RecursionError:
        return False


def _canonical(files: Iterable[Mapping[str, Any]], same: set[str]) -> dict[Address, Any]:
    flat: dict[Address, Any] = {}
    for key in ("services", "volumes"):
        for address, name, entry in _entries(files, key):
            if key == "services" and name in same:
                flat[address] = None
            else:
                flat.update(_flat(address, entry))
    return flat


def _entries(files: Iterable[Mapping[str, Any]], key: str) -> Iterator[tuple[Address, str, Any]]:
    """Yield the entries of a table of files, each with its address and name."""
    for file in files:
        for name, entry in file[key].items() if isinstance(file.get(key), Mapping) else ():
            yield (key, str(name)), str(name), entry


def _flat(address: Address, value: Any) -> Iterator[tuple[Address, Any]]:
    if address[0] == "services" and len(address) > 2:
        transform = _TRANSFORMS.get(address[2:])
        value = transform(value) if transform else value
    if len(address) > _DEEPEST:  # an alias of YAML may hold itself
        yield address, "…"
    elif isinstance(value, Mapping):
        if not value:
            yield address, {}
        for key, child in value.items():
            yield from _flat((*address, str(key)), child)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _flat((*address, str(index)), child)
    else:  # what YAML also knows, such as dates, is shown as text
        yield address, value if isinstance(value, str | int | None) else str(value)


def _by_flag(command: Any) -> Any:
    """Return a command as flag -> value, positional arguments by their number; ``True`` for a flag without a value."""
    words = _split(command) if isinstance(command, str) else command
    if not isinstance(words, list):
        return command
    values: dict[str, list[str]] = {}
    position = 0
    for flag, found in parse_flags(map(str, words)):
        position += not flag
        values.setdefault(flag or f"argument {position}", []).extend(found)
    return {name: " ".join(found) if found else True for name, found in values.items()}


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # an open quote
        return [command]


def _as_text(items: Any) -> Any:
    """Return a short list whose order means nothing as one value."""
    if not isinstance(items, list) or not all(isinstance(item, str | int) for item in items):
        return items
    return ", ".join(sorted(map(str, items)))


def _by_target(mounts: Any) -> Any:
    if not isinstance(mounts, list):
        return mounts
    return {
        str(mount.get("target")) if isinstance(mount, Mapping) else str(mount): _mount_text(mount) for mount in mounts
    }


def _mount_text(mount: Any) -> Any:
    """Return a mount but for its target as one value: ``/srv/models/x (read-only)``."""
    if not isinstance(mount, Mapping):
        return mount
    rest = {key: value for key, value in mount.items() if key not in ("source", "target")}
    source = str(mount.get("source", ""))
    if rest.get("type") == ("volume" if NAMED_VOLUME.fullmatch(source) else "bind"):
        del rest["type"]
    if rest.get("bind") == {"create_host_path": False}:  # as every bind mount of ours has it
        del rest["bind"]
    options = ["read-only"] if rest.get("read_only") is True else []
    options += [
        f"{key}: {value}" for key, value in sorted(rest.items(), key=str) if not (key == "read_only" and options)
    ]
    return f"{source} ({', '.join(options)})" if options else source


def _as_line(words: Any) -> Any:
    """Return a list whose items only mean something together as one value."""
    return shlex.join(map(str, words)) if isinstance(words, list) else words


_TRANSFORMS: dict[Address, Callable[[Any], Any]] = {
    ("command",): _by_flag,
    ("ports",): _as_text,
    ("volumes",): _by_target,
    ("environment",): by_name,
    ("labels",): by_name,
    ("healthcheck", "test"): _as_line,
    ("deploy", "resources", "reservations", "devices", "0", "device_ids"): _as_text,
}
"""What a person may have written in place of what is rendered passes through as it is."""
