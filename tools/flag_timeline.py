"""One timeline an engine: each flag's definitions, by the version that brought them.

    {"versions": [...], "counts": {version: [captured, counted]}, "flags": {name: [[version, definition], ...]}}

A flag that changed its main name is one flag under its newest name: versions that named it otherwise say `name`. A
definition is null from where the flag is gone. A later definition holds what changed: null for a fact that went; for a
list of words, what came and went.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Definition = Mapping[str, Any]
Capture = Mapping[str, Definition]
LISTS = ("choices", "keys")


def timeline(captures: Mapping[str, Capture]) -> dict[str, list[list[Any]]]:
    """Return each flag's history, by its newest name, from the flags of each version in their order."""
    histories: list[list[list[Any]]] = []
    by_option: dict[str, int] = {}
    alive: dict[int, Definition] = {}
    for version, flags in captures.items():
        seen: dict[int, Definition] = {}
        for name, definition in sorted(flags.items(), key=lambda item: f"--{item[0]}" not in by_option):
            options = [f"--{name}", *definition.get("aliases", ())]
            known = [by_option[option] for option in options if by_option.get(option) not in (None, *seen)]
            if not known:
                histories.append([])
            at = known[0] if known else len(histories) - 1
            seen[at] = {"name": name, **definition}
            by_option.update(dict.fromkeys(options, at))
        for at in sorted({*alive, *seen}):
            if seen.get(at) != alive.get(at):
                histories[at].append([version, seen.get(at)])
        alive = seen
    return dict(sorted(_named(history) for history in histories))


def _named(history: list[list[Any]]) -> tuple[str, list[list[Any]]]:
    newest = next(definition["name"] for _, definition in reversed(history) if definition is not None)
    written: list[list[Any]] = []
    before: dict[str, Any] = {}
    for version, definition in history:
        if definition is None:
            written.append([version, None])
            before = {}
            continue
        facts = {key: value for key, value in definition.items() if (key, value) != ("name", newest)}
        changes = dict(_changes(before, facts)) if before else facts
        if changes or not before:  # choices in another order are no change
            written.append([version, changes])
        before = facts
    return newest, written


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if key in LISTS and old and new:
            came, went = [word for word in new if word not in old], [word for word in old if word not in new]
            yield from ((f"{sign}{key}", words) for sign, words in (("+", came), ("-", went)) if words)
        else:
            yield key, new


def text(data: Mapping[str, Any]) -> str:
    """Return the file's text: a flag or a variable a line, so that a diff names what changed."""
    lines = []
    for key, value in data.items():
        if key in ("flags", "variables", "counts", "replaced"):
            entries = [f"{json.dumps(name)}: {_compact(entry)}" for name, entry in value.items()]
            lines.append(f"{json.dumps(key)}: {{\n" + ",\n".join(entries) + "\n}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
