"""Changes of services: a text for each cause, or JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from anvil_gen.deploy.compose_diff import ROUTES, Action, Cause, Change
from anvil_gen.diagnostics import printable
from anvil_gen.patterns import lazy_pattern
from anvil_gen.review.toml_edits import value_text
from anvil_gen.text.masking import MASK

_VALUE_WIDTH = 72
_DIGEST = lazy_pattern(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b")
"""A commit or digest: nobody compares them to the end."""
_PARTS = {
    "deploy": "GPUs",
    "healthcheck": "health check",
    "image": "image",
    "ports": "published port",
    ROUTES: "routes",
}
"""Key of a service -> what a person calls it."""


_Key = tuple[str, int | None, str]
"""By what causes are told apart: file, line and key."""


def texts_of(changes: Iterable[Change], told: Collection[_Key] = ()) -> Iterator[tuple[str, Cause | None]]:
    """Yield what changes of services, each with its cause: ``--max-model-len 65536 -> 32768``.

    Changes of a service that have one cause are one text: ``port 30001 -> 30011 (--port, health check)``. The values of
    causes that have been ``told`` of another service are not repeated.
    """
    for cause, group in by_cause(_of_services(changes)):
        if cause is None or (cause.before is None and cause.after is None):
            yield from ((text, cause) for text in dict.fromkeys(map(_what, group)))
        else:
            yield _caused_text(group[0].service or "", cause, group, is_told=key_of(cause) in told), cause


def by_cause(changes: Iterable[Change]) -> list[tuple[Cause | None, list[Change]]]:
    """Return changes by service and cause, in their order; those without a cause each alone."""
    groups: dict[object, tuple[Cause | None, list[Change]]] = {}
    for change in changes:
        cause = change.cause
        # Of routes, which of a router's files differ says little.
        alone = (change.service, ROUTES) if change.address[2:3] == (ROUTES,) else id(change)
        key = alone if cause is None else (change.service, key_of(cause))
        groups.setdefault(key, (cause, []))[1].append(change)
    return list(groups.values())


def key_of(cause: Cause) -> _Key:
    """Return by what a cause is told apart from others."""
    return cause.file, cause.line, cause.key


def _caused_text(service: str, cause: Cause, changes: Sequence[Change], *, is_told: bool) -> str:
    """Return what happens to a service by one cause: the key that was edited, and what follows from it."""
    if any(map(_is_whole, changes)):
        return edit_text(cause)
    key = (cause.key.rpartition(".")[2],)
    same = next((one for one in changes if one.address[2:] == key and not one.secret), None)
    if same is not None:  # the value that was there may be a default, and it is told once
        cause = replace(cause, before=same.before, after=same.after)
    parts = dict.fromkeys(part_of(change) for change in changes if change is not same)
    table, _, rest = cause.key.partition(".")
    own = f"{service}."
    if not cause.is_elsewhere and (rest.startswith(own) or table in ("router", "experiment")):
        further = ", ".join(part for part in parts if part.lower() != key[0])  # that is said already
        return edit_text(cause, rest.removeprefix(own)) + (f" ({further})" if further else "")
    by = cause.key if is_told else edit_text(cause)
    return f"{', '.join(parts)}, by {by}" if parts else by


def edit_text(cause: Cause, key: str = "") -> str:
    """Return what was edited: ``port 30001 -> 30011``."""
    if cause.is_rename:
        return f"{cause.key.rpartition('.')[0]}.{printable(cause.before)} renamed to {printable(cause.after)}"
    key = key or cause.key
    before, after = (None if value is None else _short(value) for value in (cause.before, cause.after))
    if before is None or (isinstance(cause.after, dict) and cause.before is None):
        return f"{key} added" if isinstance(cause.after, dict) else f"{key} {after} added"
    if after is None:
        return f"{key} removed" if isinstance(cause.before, dict) else f"{key} {before} removed"
    return f"{key} {before} -> {after}"


def _short(value: Any) -> str:
    return truncated(_DIGEST.sub(r"\1…", printable(value_text(value))))


def part_of(change: Change) -> str:
    """Return what of a service a change is in, as a person says it."""
    parts = change.address[2:]
    if change.reason and parts[0] != ROUTES:
        return change.reason.removesuffix(" changed")
    if parts[0] == "command" and len(parts) > 1:
        return "model" if parts[1].startswith("argument ") else parts[1]
    if parts[0] == "volumes":
        return f"mount {parts[1]}"
    return _PARTS.get(parts[0]) or ".".join(part for part in parts if not part.isdecimal())


def place_of(cause: Cause) -> str:
    """Return where a cause is: ``hosts/box.toml:12``, or the version of anvil-gen."""
    return cause.file if cause.line is None else f"{cause.file}:{cause.line}"


def _of_services(changes: Iterable[Change]) -> Iterator[Change]:
    # A volume comes and goes with the service that mounts it.
    return (change for change in changes if change.service is not None)


def _is_whole(change: Change) -> bool:
    return len(change.address) == 2


def _what(change: Change) -> str:
    if _is_whole(change):
        return "new service" if change.action is Action.CREATE else "removed"
    parts = change.address[2:]
    if parts[0] == ROUTES and len(parts) > 1:
        return f"{ROUTES} changed"
    if change.reason:
        return change.reason
    is_flag = parts[0] == "command" and len(parts) > 1
    what = (
        parts[1] if is_flag else f"mount {parts[1]}:" if parts[0] == "volumes" and len(parts) == 2 else ".".join(parts)
    )
    if change.secret:
        return f"{what} {change.action.done}"
    before, after = (_DIGEST.sub(r"\1…", _value(value, is_flag)) for value in (change.before, change.after))
    # Truncated, both may look alike.
    if max(len(before), len(after)) > _VALUE_WIDTH and change.action is Action.UPDATE:
        return f"{what} changed"
    before, after = truncated(before), truncated(after)
    if change.action is Action.CREATE:
        return f"{what} {after} added" if after else f"{what} added"
    if change.action is Action.DELETE:
        return f"{what} {before} removed" if before else f"{what} removed"
    return f"{what} {before or '(none)'} -> {after or '(none)'}"


def _value(value: Any, is_flag: bool) -> str:
    if value is None or (value is True and is_flag):  # a variable or a flag without a value
        return ""
    return printable(str(value).lower() if isinstance(value, bool) else str(value))


def truncated(text: str) -> str:
    """Return a text that is short enough for a line."""
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 1] + "…"


def change_json(change: Change) -> dict[str, Any]:
    """Return a change as JSON; the values of secrets are left out."""
    return {
        "action": change.action.name.lower(),
        "project": change.project,
        "service": change.service,
        "address": list(change.address),
        "before": MASK if change.secret and change.before is not None else change.before,
        "after": MASK if change.secret and change.after is not None else change.after,
        "reason": change.reason,
    }
