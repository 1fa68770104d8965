"""Changes of services: one line each, or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from anvil_gen.deploy.compose_diff import Action, Change
from anvil_gen.diagnostics import printable
from anvil_gen.masking import MASK

_VALUE_WIDTH = 72


def change_lines(changes: Iterable[Change]) -> Iterator[str]:
    """Yield one line for each change: ``~ fast: --max-model-len 65536 -> 32768``."""
    for change in _of_services(changes):
        symbol = change.action if _is_whole(change) else Action.UPDATE
        yield f"{symbol.value} {change.service}: {_what(change)}"


def reasons(changes: Iterable[Change]) -> Iterator[str]:
    """Yield one line a change, without the name of the service: ``--max-model-len 65536 -> 32768``."""
    return map(_what, _of_services(changes))


def _of_services(changes: Iterable[Change]) -> Iterator[Change]:
    # A volume comes and goes with the service that mounts it.
    return (change for change in changes if change.service is not None)


def _is_whole(change: Change) -> bool:
    return len(change.address) == 2


def _what(change: Change) -> str:
    if _is_whole(change):
        return "new service" if change.action is Action.CREATE else "removed"
    if change.reason:
        return change.reason
    parts = change.address[2:]
    is_flag = parts[0] == "command" and len(parts) > 1
    what = (
        parts[1] if is_flag else f"mount {parts[1]}:" if parts[0] == "volumes" and len(parts) == 2 else ".".join(parts)
    )
    if change.secret:
        return f"{what} {change.action.done}"
    before, after = _value(change.before, is_flag), _value(change.after, is_flag)
    # Truncated, both may look alike.
    if max(len(before), len(after)) > _VALUE_WIDTH and change.action is Action.UPDATE:
        return f"{what} changed"
    before, after = _truncate(before), _truncate(after)
    if change.action is Action.CREATE:
        return f"{what} {after} added" if after else f"{what} added"
    if change.action is Action.DELETE:
        return f"{what} {before} removed" if before else f"{what} removed"
    return f"{what} {before or '(none)'} -> {after or '(none)'}"


def _value(value: Any, is_flag: bool) -> str:
    if value is None or (value is True and is_flag):  # a variable or a flag without a value
        return ""
    return printable(str(value).lower() if isinstance(value, bool) else str(value))


def _truncate(text: str) -> str:
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
