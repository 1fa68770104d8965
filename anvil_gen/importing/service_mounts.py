"""The mounts of a compose service, as a tier's `mounts`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.host_paths import is_absolute
from anvil_gen.importing.service_ports import split_parts
from anvil_gen.importing.source_paths import Move, moved_text
from anvil_gen.importing.texts import has_variable, plain, value_of
from anvil_gen.patterns import lazy_pattern

_HOME = lazy_pattern(r"(?P<before>^|(?<=:-))\$(?:\{HOME\}|HOME(?!\w))/")
"""The home of who runs Compose, which `~` is as well."""
_LABELS = ("z", "Z")
_PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_OPTIONS = {"ro", "rw", "nocopy", "", *_LABELS, *_PROPAGATION}


class MountRead(Struct, frozen=True, kw_only=True):
    """A mount: texts of a compose file; ``fields`` is None where a tier's `mounts` cannot say it."""

    target: str
    source: str
    volume: bool
    read_only: bool
    fields: dict[str, Any] | None
    written: Any


def read_mount(mount: Any, move: Move) -> MountRead:
    """Return a mount of a service; ``move`` writes a relative path as the inventory's folder has it."""
    return _long(mount, move) if isinstance(mount, Mapping) else _short(str(mount), move)


def _short(text: str, move: Move) -> MountRead:
    pieces = list(split_parts(text))
    if len(pieces) > 1 and re.fullmatch("[A-Za-z]", pieces[0]):
        pieces[:2] = [":".join(pieces[:2])]
    source, target, options = (*pieces, "", "")[:3] if len(pieces) > 1 else ("", pieces[0], "")
    given = set(options.split(","))
    is_path = _is_path(source)
    fields: dict[str, Any] | None = None
    if source and given <= _OPTIONS and len(pieces) <= 3 and not has_variable(options):
        fields = _fields(source, is_path=is_path, read_only="ro" in given, move=move)
        further = _further_fields(given, is_path=is_path)
        fields = None if fields is None or further is None else {**fields, **further}
    written: Any = text
    if is_path and not has_variable(text):
        place = move(source)
        place = place if place.startswith((".", "/", "~")) or is_absolute(place) else f"./{place}"
        written = place + text[len(source) :]
    elif is_path:
        written = {"type": "bind", "source": source, "target": target, "bind": {"create_host_path": True}}
        written |= {"read_only": True} if "ro" in given else {}
        written["bind"] |= _bind_options(given)
        written = (
            {**written, "source": moved(source, move)} if given <= _OPTIONS else _from_the_root(text, source, move)
        )
    return MountRead(
        target=target.rstrip("/") or target,
        source=source,
        volume=not is_path,
        read_only="ro" in given,
        fields=_at(target, fields),
        written=value_of(written) if isinstance(written, str) else _with_values(written),
    )


def _from_the_root(text: str, source: str, move: Move) -> str:
    """Return a mount with variables in the short form, in which rendering moves no path."""
    return move.absolute(source) + text[len(source) :] if source.startswith(".") else move(text)


def _bind_options(given: set[str]) -> dict[str, Any]:
    """Return what the options of a mount in the short form say of a folder."""
    named = (("selinux", _LABELS), ("propagation", _PROPAGATION))
    return {key: one for key, words in named for one in words if one in given}


def _further_fields(given: set[str], *, is_path: bool) -> dict[str, Any] | None:
    """Return the fields for the options of a mount; None for options that the other kind of mount has."""
    if is_path:
        return None if "nocopy" in given else {"create": True, **_bind_options(given)}
    if _bind_options(given):
        return None
    return {"nocopy": True} if "nocopy" in given else {}


def _with_values(mount: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item if key == "source" else value_of(item) for key, item in mount.items()}


def _is_path(source: str) -> bool:
    """Tell whether a source is a folder of the host, by what it is where no variable is set."""
    text = plain(source)
    unknown = source.startswith("$") and not text
    return unknown or text.startswith((".", "/", "~")) or is_absolute(text) or source.startswith(("${HOME", "${PWD"))


def moved(source: str, move: Move) -> Any:
    """Return a source as an inventory writes it: relative to its own folder."""
    return value_of(moved_text(_HOME.sub(r"\g<before>~/", source), move))


def _fields(source: str, *, is_path: bool, read_only: bool, move: Move) -> dict[str, Any] | None:
    if is_path:
        place: dict[str, Any] = {"source": moved(source, move)}
    elif has_variable(source) or not re.fullmatch("[a-zA-Z0-9][a-zA-Z0-9_.-]+", source):
        return None
    else:
        place = {"volume": source}
    return {**place, **({} if read_only else {"read_only": False})}


def _at(target: str, fields: dict[str, Any] | None) -> dict[str, Any] | None:
    normal = target.rstrip("/")
    is_plain = target.startswith("/") and not has_variable(target) and posixpath.normpath(normal) == normal
    return fields if normal and is_plain else None


_LONG_OPTIONS = {"bind": {"create_host_path", "selinux", "propagation"}, "volume": {"nocopy", "subpath"}}


def _long(mount: Mapping[str, Any], move: Move) -> MountRead:
    kind, source, target = str(mount.get("type", "")), str(mount.get("source", "")), str(mount.get("target", ""))
    options = mount.get(kind) or {}
    written = {**mount, "source": moved(source, move) if kind == "bind" else value_of(source)}
    known = mount.keys() <= {"type", "source", "target", "read_only", kind}
    fields = None
    if known and kind in ("bind", "volume") and source and isinstance(mount.get("read_only", False), bool):
        fields = _fields(source, is_path=kind == "bind", read_only=mount.get("read_only") is True, move=move)
    if fields is not None and options:
        create = {"create": True} if options.get("create_host_path") is True else {}
        rest = {key: value for key, value in options.items() if key != "create_host_path" and value is not False}
        fields = {**fields, **create, **rest} if options.keys() <= _LONG_OPTIONS[kind] else None
    return MountRead(
        target=target.rstrip("/") or target,
        source=source,
        volume=kind == "volume",
        read_only=mount.get("read_only") is True,
        fields=_at(target, fields),
        written=_with_values({key: value for key, value in written.items() if key != "source" or source}),
    )


def mount_value(fields: Mapping[str, Any]) -> Any:
    """Return a mount in the shortest form that says it."""
    return fields["source"] if fields.keys() == {"source"} and isinstance(fields["source"], str) else dict(fields)
