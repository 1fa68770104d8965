"""The flags of a model server, held against those that its engine's version takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.flag_timeline import Absence, Flag, FlagTimeline
from anvil_gen.catalog.release import Release, release_of
from anvil_gen.diagnostics import Severity, did_you_mean, join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.env_references import reference
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.command_line import flag_text
from anvil_gen.resolve.options import ServerOptions
from anvil_gen.values import KeyPath, canonical_flag

_OF_THE_NAME = ("deprecated-flag", "flag-of-another-version", "unknown-flag", "unknown-key")
_NUMBERS = {
    "int": lazy_pattern(r"[+-]?[0-9](?:_?[0-9])*"),
    "float": lazy_pattern(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|nan)", re.IGNORECASE),
    "size": lazy_pattern(r"-?[0-9]+(?:\.[0-9]+)?[kKmMgGtT]?"),
}
_NOUNS = {"int": "a whole number", "float": "a number", "size": "a whole number, also with a suffix as in 64k"}
# vLLM takes numbers like 80m inside JSON.
_SUFFIXED = lazy_pattern(r'("(?:[^"\\]|\\.)*")|\b([0-9]+(?:\.[0-9]+)?)[kKmMgGtT]\b')
# What an engine takes for "not set", whatever the type.
_UNSET = ("None", "")


class Finding(Struct, frozen=True, kw_only=True):
    """What is wrong with one flag."""

    code: str
    detail: str
    remedy: str
    place: KeyPath = ()  # inside the flag's value
    severity: Severity = "error"


class FlagRules(Struct, frozen=True, kw_only=True):
    """What the version of one model server takes."""

    engine: Engine
    timeline: FlagTimeline
    release: Release

    def findings(self, name: str, value: Any) -> list[Finding]:
        """Return what is wrong with a flag; for a version between two captured ones, what both refuse."""
        first, *others = (list(self._at(version, name, value)) for version in self.release.checked)
        return first if all(others) else []

    def codes(self, name: str, value: Any) -> set[str]:
        """Return the kinds of what is wrong with a flag."""
        return {finding.code for finding in self.findings(name, value)}

    def main_form(self, name: str) -> str:
        """Return the main form of a flag; the name itself where the version has none under it."""
        version, name = self.release.checked[0], canonical_flag(name)
        flag = self.timeline.find(name, version)
        if flag is None:
            return self.timeline.short_form(name, version) or name
        return name if name in flag.negations else flag.name

    def is_switch(self, name: str) -> bool:
        """Return whether the version takes a flag that has no value."""
        flag = self.timeline.find(canonical_flag(name), self.release.checked[0])
        return flag is not None and flag.type == "switch"

    def repeats(self, name: str) -> bool:
        """Return whether the version takes a flag once for each value, and never several values after it."""
        flag = self.timeline.find(canonical_flag(name), self.release.checked[0])
        return flag is not None and flag.repeats and not flag.several

    def _at(self, version: str, name: str, value: Any) -> Iterator[Finding]:
        flag = self.timeline.find(canonical_flag(name), version)
        if flag is not None:
            yield from _deprecation(flag, name)
            yield from _value_findings(flag, name, value)
            return
        base, _, key = name.partition(".")
        parent = self.timeline.find(canonical_flag(base), version) if key else None
        if parent is not None and parent.type in ("json", "text"):
            yield from _unknown_keys(parent, [key.partition(".")[0]], place=False)
            return
        yield self._missing(version, name)

    def _missing(self, version: str, name: str) -> Finding:
        """Return the finding for a flag that the version lacks: of another version, a negation, or unknown."""
        flag, detail = canonical_flag(name), f'{self.engine.title} {self.release.version} has no "--{name}"'
        negation, absence = self._negation(version, flag), self.timeline.absence(flag, version)
        if absence is not None and not negation:
            return Finding(code="flag-of-another-version", detail=f"{detail}{_when(absence)}", remedy=_instead(absence))
        short = self.timeline.short_form(flag, version)
        remedy = negation or (f'write "{short}"' if short else did_you_mean(flag, self.timeline.names(version)))
        return Finding(code="unknown-flag", detail=detail, remedy=remedy or "remove it, or set flag_check = false")

    def _negation(self, version: str, name: str) -> str:
        """Return how a version spells the switching off that a name means; empty where it means none."""
        for prefix in (prefix for prefix in self.engine.negations if name.startswith(prefix)):
            rest = name.removeprefix(prefix)
            for positive in (rest, f"enable-{rest}"):
                flag = self.timeline.find(positive, version)
                if flag is not None and flag.negations:
                    return f'this version spells it "{flag.negations[0]}"'
                if flag is not None and flag.type == "switch":
                    return f'"--{flag.name}" is off unless it is set: remove this'
        return ""


def upgrade_findings(before: FlagRules, after: FlagRules, flags: Mapping[str, Any]) -> dict[str, list[Finding]]:
    """Return what another version refuses or deprecates of a tier's flags, which the one before took."""
    found = {
        name: [finding for finding in after.findings(name, value) if finding.code not in before.codes(name, value)]
        for name, value in flags.items()
    }
    return {name: findings for name, findings in found.items() if findings}


def flag_rules(timeline: FlagTimeline | None, engine: Engine, image: Any) -> FlagRules | None:
    """Return the rules for an image; None where nothing is known of the engine's flags."""
    if timeline is None:
        return None
    return FlagRules(engine=engine, timeline=timeline, release=release_of(engine, image, timeline))


def check_fields(collector: Collector, options: ServerOptions, engine: Engine, rules: FlagRules, path: KeyPath) -> None:
    """Report fields of a table whose values the version refuses for the flags that they become."""
    for field, flags in engine.fields.items():
        place = options.path_of(field)
        value = None if place is None else collector.value_at(place)  # a reference is a table there
        flag = flags if isinstance(flags, str) else flags[0]
        is_plain = isinstance(value, str | int | float) and not rules.is_switch(flag) and value is not True
        if place is not None and place[: len(path)] == path and is_plain:
            report(collector, place, rules, value, flag)


def report(collector: Collector, path: KeyPath, rules: FlagRules, value: Any, name: str) -> None:
    """Report what the version refuses of one flag, at its place in the inventory."""
    for finding in rules.findings(name, value):
        sure = rules.release.certain
        doubt = "" if sure else f" (the image's tag names no release: taken as {rules.release.version})"
        collector.add(
            finding.code,
            (*path, *finding.place),
            f"{finding.detail}{doubt}",
            finding.remedy,
            key=finding.code in _OF_THE_NAME,
            severity=finding.severity if sure else "warning",
        )


def check_variables(collector: Collector, path: KeyPath, environment: Mapping[str, Any], rules: FlagRules) -> None:
    """Warn of variables that begin as the engine's own do, and that no version reads."""
    known, prefix = rules.timeline.variables, rules.engine.variable_prefix
    for name in environment if prefix and known else ():
        if name.startswith(prefix) and name not in known:
            detail = f'{rules.engine.title} reads no variable "{name}"'
            remedy = did_you_mean(name, known) or "remove it, or set flag_check = false"
            collector.add(
                "unknown-variable", (*path, "environment", name), detail, remedy, key=True, severity="warning"
            )


def _when(absence: Absence) -> str:
    if absence.new_in:
        return f": it came with {absence.new_in}"
    return f": {'renamed' if absence.renamed_to else 'gone'} since {absence.gone_since}"


def _instead(absence: Absence) -> str:
    if absence.instead:
        return absence.instead
    if absence.renamed_to:
        return f'write "{absence.renamed_to}"'
    return "name a newer image, or remove it" if absence.new_in else "remove it"


def _deprecation(flag: Flag, name: str) -> Iterator[Finding]:
    if flag.deprecated:
        remedy = f"write {flag.use}" if flag.use else "look for what replaces it before the next upgrade"
        detail = f'"--{name}" will go'
        yield Finding(code="deprecated-flag", detail=detail, remedy=remedy, severity="warning")


def _value_findings(flag: Flag, name: str, value: Any) -> Iterator[Finding]:
    if value is False or reference(value) is not None:
        return
    if value is True:
        if flag.type != "switch" and not flag.bare:
            yield Finding(code="wrong-type", detail=f'"--{name}" needs {_wanted(flag)}', remedy="write its value")
    elif flag.type == "switch":
        remedy = "write true" + (f", or {flag.negations[0]} = true" if flag.negations else "")
        yield Finding(code="wrong-type", detail=f'"--{name}" is a switch, and takes no value', remedy=remedy)
    elif isinstance(value, list):
        if len(value) > 1 and not (flag.several or flag.repeats):
            yield Finding(code="wrong-type", detail=f'"--{name}" takes one value', remedy=f"write {_wanted(flag)}")
        for index, item in enumerate(value):
            yield from (_moved(finding, index) for finding in _item_findings(flag, name, item))
    else:
        yield from _item_findings(flag, name, value)


def _moved(finding: Finding, index: int) -> Finding:
    return Finding(
        code=finding.code,
        detail=finding.detail,
        remedy=finding.remedy,
        place=(index, *finding.place),
        severity=finding.severity,
    )


def _wanted(flag: Flag) -> str:
    if flag.choices:
        return f"one of: {join_words(flag.choices)}"
    return {"json": "JSON, as a table", **_NOUNS}.get(flag.type, "a value")


def _item_findings(flag: Flag, name: str, value: Any) -> Iterator[Finding]:
    if isinstance(value, list) or reference(value) is not None:  # a list in a list is reported as such
        return
    text = str(flag_text(value))
    if flag.type == "json":
        yield from _json_findings(flag, name, value, text)
    elif text in (*_UNSET, *flag.words):
        return
    elif flag.choices:
        if text not in flag.choices:
            remedy = did_you_mean(text, flag.choices) or f"one of: {join_words(flag.choices)}"
            yield Finding(
                code="not-one-of-the-choices", detail=f'"{text}" is none that "--{name}" takes', remedy=remedy
            )
    elif flag.type in _NUMBERS and _NUMBERS[flag.type].fullmatch(text.strip()) is None:
        yield Finding(code="wrong-type", detail=f'"{text}" is no value of "--{name}"', remedy=f"write {_wanted(flag)}")


def _json_findings(flag: Flag, name: str, value: Any, text: str) -> Iterator[Finding]:
    is_table = not isinstance(value, str)
    if not is_table:
        if text in _UNSET:
            return
        try:
            value = json.loads(_SUFFIXED.sub(lambda match: match[1] or match[2], text))
        except ValueError as error:
            detail = f'the value of "--{name}" is no JSON: {error}'
            yield Finding(code="invalid-form", detail=detail, remedy="write a table, or JSON in quotes")
            return
    if isinstance(value, Mapping):
        yield from _unknown_keys(flag, list(value), place=is_table)


def _unknown_keys(flag: Flag, keys: list[str], *, place: bool) -> Iterator[Finding]:
    for key in keys if flag.keys else ():
        if key not in flag.keys and key.partition(".")[0] not in flag.keys:
            remedy = did_you_mean(key, flag.keys) or f"its keys: {join_words(flag.keys, limit=40)}"
            detail = f'"--{flag.name}" has no key "{key}"'
            yield Finding(code="unknown-key", detail=detail, remedy=remedy, place=(key,) if place else ())
