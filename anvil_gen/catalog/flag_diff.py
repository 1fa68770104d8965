"""What one version of an engine changes in its flags against another, and the JSON Schema of one version's flags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from anvil_gen.catalog.flag_timeline import Flag, FlagTimeline

_SCHEMA_TYPES = {"int": ["integer", "string"], "float": ["number", "string"], "size": ["integer", "string"]}


class FlagChange(Struct, frozen=True, kw_only=True):
    """A flag that differs between two versions."""

    name: str
    kind: Literal["gone", "new", "renamed", "changed"]
    detail: str = ""


def flag_changes(timeline: FlagTimeline, old: str, new: str) -> Iterator[FlagChange]:
    """Yield what is different in ``new``, gone flags first."""
    before, after = ({flag.name: flag for flag in timeline.flags(version)} for version in (old, new))
    for name in sorted(before.keys() - after.keys()):
        found = timeline.find(name, new)
        if found is not None:
            yield FlagChange(name=name, kind="renamed", detail=f"now {found.name}; the old name is still taken")
        else:
            absence = timeline.absence(name, new)
            instead = "" if absence is None else absence.instead or absence.renamed_to
            yield FlagChange(name=name, kind="gone", detail=instead)
    for name in sorted(after.keys() - before.keys()):
        if timeline.find(name, old) is None:
            yield FlagChange(name=name, kind="new", detail=described(after[name]))
    for name in sorted(before.keys() & after.keys()):
        details = list(differences(before[name], after[name]))
        if details:
            yield FlagChange(name=name, kind="changed", detail="; ".join(details))


def differences(old: Flag, new: Flag) -> Iterator[str]:
    """Yield in what two versions of a flag differ: the fact's name first."""
    for fact in ("type", "default", "several", "bare", "deprecated"):
        before, after = getattr(old, fact), getattr(new, fact)
        if before != after:
            yield f"{fact}: {shown(before)} -> {shown(after)}"
    for fact in ("choices", "keys", "aliases", "negations"):
        before, after = getattr(old, fact), getattr(new, fact)
        if before and not after:
            yield f"{fact}: no longer listed"
            continue
        signed = [f"-{word}" for word in before if word not in after] + [
            f"+{word}" for word in after if word not in before
        ]
        if signed:
            yield f"{fact}: {' '.join(signed)}"


def shown(value: Any) -> str:
    """Return a fact of a flag as a person says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "") else str(value)


def described(flag: Flag) -> str:
    """Return what a flag takes, in a few words."""
    what = {"switch": "switch", "text": "text", "int": "whole number", "float": "number", "size": "whole number or 64k"}
    kind = "one of " + ", ".join(flag.choices) if flag.choices else what.get(flag.type, "JSON")
    facts = [kind, *(("several values",) if flag.several else ())]
    facts += [f"default {flag.default}"] if flag.default is not None else []
    facts += ["deprecated"] if flag.deprecated else []
    return ", ".join(facts)


def flags_schema(timeline: FlagTimeline, version: str, title: str) -> dict[str, Any]:
    """Return the JSON Schema of a tier's `flags` for one version, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"flags of {title} {version}",
        "type": "object",
        "properties": {flag.name: _flag_schema(flag) for flag in timeline.flags(version)}
        | {negation: {"type": "boolean"} for flag in timeline.flags(version) for negation in flag.negations},
    }


def _flag_schema(flag: Flag) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": described(flag)}
    if flag.type == "switch":
        return {**schema, "type": "boolean"}
    if flag.keys:
        return {**schema, "type": ["object", "string", "boolean"], "properties": {key: {} for key in flag.keys}}
    value: dict[str, Any] = {}
    if flag.choices:
        numbers = [int(choice) for choice in flag.choices if choice.isdecimal()]
        value = {"enum": [*flag.choices, *numbers]}
    elif flag.type in _SCHEMA_TYPES:
        value = {"type": _SCHEMA_TYPES[flag.type]}
    # False removes a default, and a reference names a variable.
    others = [{"const": False}, {"type": "object"}, {"type": "array"}, *([{"const": True}] if flag.bare else [])]
    return {**schema, "anyOf": [value, *others]} if value else schema
