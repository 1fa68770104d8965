"""The flags of an engine through its versions: `templates/engines/<name>/flags.json`.

`tools/capture_flags.py` writes it. A flag is a list of `[version, definition]`, `null` for a version that dropped it; a
later definition holds what changed. Only the flags that are asked for are made into structs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path

FlagType = Literal["switch", "text", "int", "float", "size", "json"]
History = Sequence[tuple[str, Mapping[str, Any] | None]]
VersionKey = tuple[int, ...]


class Flag(Struct, frozen=True, kw_only=True):
    """A flag as one version takes it."""

    name: str  # its main form, without dashes
    type: FlagType = "text"
    words: Sequence[str] = ()  # taken next to the numbers of its type
    choices: Sequence[str] = ()
    default: Any = None
    aliases: Sequence[str] = ()  # with their dashes
    negations: Sequence[str] = ()
    several: bool = False  # several values after it
    repeats: bool = False  # it is given once a value
    bare: bool = False  # its value may be left out
    keys: Sequence[str] = ()  # of its JSON, where others are refused
    use: str = ""  # what its deprecation message says to write instead
    deprecated: bool = False


class Absence(Struct, frozen=True, kw_only=True):
    """Why a version lacks a flag that others have."""

    gone_since: str = ""
    new_in: str = ""
    renamed_to: str = ""
    instead: str = ""


class _File(Struct, frozen=True, kw_only=True):
    versions: list[str]
    flags: dict[str, list[tuple[str, dict[str, Any] | None]]] = {}
    variables: dict[str, list[tuple[str, dict[str, Any] | None]]] = {}
    replaced: dict[str, str] = {}
    abbreviations: bool = False
    counts: dict[str, tuple[int, int]] = {}


@cache
def version_key(version: str) -> VersionKey:
    """Return a version's numbers, by which versions are ordered: `0.5.15.post1` comes after `0.5.15`."""
    return tuple(int(part) for part in re.findall("[0-9]+", version))


def facts_at(history: History, key: VersionKey) -> dict[str, Any] | None:
    """Return what a flag is in the version with that key; None where that version does not have it."""
    facts: dict[str, Any] | None = None
    for since, change in history:
        if version_key(since) > key:
            break
        facts = None if change is None else {**(facts or {}), **_applied(facts or {}, change)}
    return None if facts is None else {name: value for name, value in facts.items() if value is not None}


def _applied(facts: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that a change sets; `+choices` and `-choices` change the list of choices."""
    lists = {name.lstrip("+-") for name in change if name[0] in "+-"}
    changed = {
        name: [
            *(word for word in facts.get(name, ()) if word not in change.get(f"-{name}", ())),
            *change.get(f"+{name}", ()),
        ]
        for name in lists
    }
    return {**{name: value for name, value in change.items() if name[0] not in "+-"}, **changed}


def read_timeline(file: Path) -> FlagTimeline:
    """Return the timeline in a file.

    Raises:
        DiagnosticError: it is not of that form.
    """
    try:
        return FlagTimeline(file.read_bytes())
    except msgspec.MsgspecError as error:
        location = Location(file=display_path(file))
        raise DiagnosticError(
            [Diagnostic(code="invalid-template-data", detail=str(error), location=location)]
        ) from None


class FlagTimeline:
    """The timeline of one engine."""

    def __init__(self, text: bytes) -> None:
        """Read the file's text."""
        self._file = msgspec.json.decode(text, type=_File)
        self._keys = [version_key(version) for version in self.versions]
        self._by_version: dict[str, dict[str, str]] = {}
        self._found: dict[tuple[str, str], Flag | None] = {}
        self._short_forms: dict[str, dict[str, str]] = {}
        self._facts_by_version: dict[str, list[tuple[str, dict[str, Any]]]] = {}

    @property
    def versions(self) -> list[str]:
        """The captured versions, oldest first."""
        return self._file.versions

    @property
    def newest(self) -> str:
        """The newest captured version."""
        return self.versions[-1]

    @property
    def abbreviations(self) -> bool:
        """Whether the engine takes the unambiguous beginning of a flag for the flag."""
        return self._file.abbreviations

    @property
    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Version -> the flags that were captured, and those that an independent count found."""
        return self._file.counts

    def names(self, version: str) -> Iterator[str]:
        """Yield the main form of each flag of a version."""
        yield from (facts.get("name", name) for name, facts in self._facts(version))

    def flags(self, version: str) -> Iterator[Flag]:
        """Yield each flag of a version."""
        yield from (msgspec.convert({"name": name, **facts}, Flag) for name, facts in self._facts(version))

    def _facts(self, version: str) -> list[tuple[str, dict[str, Any]]]:
        """Return what each flag of a version is, by its newest name."""
        if version not in self._facts_by_version:
            key = version_key(version)
            of_all = ((name, facts_at(history, key)) for name, history in self._file.flags.items())
            self._facts_by_version[version] = [(name, facts) for name, facts in of_all if facts is not None]
        return self._facts_by_version[version]

    def find(self, name: str, version: str) -> Flag | None:
        """Return the flag that a version takes under a name: its main form, another or a negation."""
        if (name, version) not in self._found:
            self._found[name, version] = self._find(name, version)
        return self._found[name, version]

    def _find(self, name: str, version: str) -> Flag | None:
        key = version_key(version)
        history = self._file.flags.get(name)
        facts = facts_at(history, key) if history is not None else None
        if facts is not None and facts.get("name", name) == name:
            return msgspec.convert({"name": name, **facts}, Flag)
        main = self._spellings(version).get(name)
        if main is None and self.abbreviations:
            longer = {flag for spelling, flag in self._spellings(version).items() if spelling.startswith(name)}
            main = longer.pop() if len(longer) == 1 else None
        return self._flag(main, key) if main is not None else None

    def short_form(self, name: str, version: str) -> str | None:
        """Return the main form of a flag that a version takes by one dash and this name: `-tp`."""
        if version not in self._short_forms:
            known = ((facts.get("name", main), facts.get("aliases", ())) for main, facts in self._facts(version))
            self._short_forms[version] = {alias: main for main, aliases in reversed([*known]) for alias in aliases}
        return self._short_forms[version].get(f"-{name}")

    def _flag(self, key_name: str, key: VersionKey) -> Flag:
        facts = facts_at(self._file.flags[key_name], key) or {}
        return msgspec.convert({"name": key_name, **facts}, Flag)

    def _spellings(self, version: str) -> dict[str, str]:
        """Return every name that a version takes a flag under -> the flag's key in the file."""
        if version not in self._by_version:
            facts_by_name = self._facts(version)
            self._by_version[version] = {
                spelling: name for name, facts in facts_by_name for spelling in _names_of(name, facts)
            }
        return self._by_version[version]

    def absence(self, name: str, version: str) -> Absence | None:
        """Return why a version lacks a flag; None where no version has it."""
        key = version_key(version)
        instead = self._file.replaced.get(name, "")
        for main, history in self._file.flags.items() if name in self._ever else ():
            having = [since for since in self._changes(history) if name in _names_of(main, facts_at(history, since))]
            if not having:
                continue
            if having[0] > key:
                return Absence(new_in=self._version(having[0]), instead=instead)
            gone = next(since for since in self._changes(history) if having[-1] < since)
            facts = facts_at(history, key)
            renamed = "" if facts is None else facts.get("name", main)
            said = (facts_at(history, having[-1]) or {}).get("use")
            instead = instead or (f"write {said}" if said else "")
            return Absence(gone_since=self._version(gone), renamed_to=renamed, instead=instead)
        return Absence(instead=instead) if instead else None

    @cached_property
    def _ever(self) -> frozenset[str]:
        """Every name that any version takes a flag under."""
        every = self._file.flags.items()
        return frozenset(
            name
            for main, history in every
            for since in self._changes(history)
            for name in _names_of(main, facts_at(history, since))
        )

    def _changes(self, history: History) -> list[VersionKey]:
        return [version_key(since) for since, _ in history]

    def _version(self, key: VersionKey) -> str:
        return self.versions[self._keys.index(key)]

    def neighbours(self, version: str) -> tuple[str, ...]:
        """Return the captured version, or those before and after one that was not; one where there is no other."""
        key = version_key(version)
        at = bisect_right(self._keys, key)
        if at and self._keys[at - 1] == key:
            return (self.versions[at - 1],)
        return tuple(self.versions[index] for index in (at - 1, at) if 0 <= index < len(self.versions))

    def newest_of_line(self, line: str) -> str:
        """Return the newest captured version of a line: of `1.9`, `1.9.3`; a version that is no line as it is."""
        key = version_key(line)
        fitting = [version for version in self.versions if version_key(version)[:2] == key]
        return fitting[-1] if fitting else line

    @property
    def variables(self) -> Mapping[str, History]:
        """The engine's environment variables, each with its history."""
        return self._file.variables

    def variables_of(self, version: str) -> Iterator[str]:
        """Yield the variables that a version reads."""
        key = version_key(version)
        yield from (name for name, history in self.variables.items() if facts_at(history, key) is not None)

    def history(self, name: str) -> History:
        """Return the history of a flag or variable by its newest name; empty where there is none."""
        return self._file.flags.get(name) or self._file.variables.get(name, [])

    def at(self, name: str, version: str) -> Flag | None:
        """Return a flag or variable by its newest name, as one version has it; None where it does not."""
        facts = facts_at(self.history(name), version_key(version))
        return None if facts is None else msgspec.convert({"name": name, **facts}, Flag)

    def main_name(self, name: str) -> str | None:
        """Return the newest name of what any version has under a name; None where none has it."""
        if self.history(name):
            return name
        for main, history in self._file.flags.items():
            if any(name in _names_of(main, facts_at(history, since)) for since in self._changes(history)):
                return main
        return None

    @property
    def all_names(self) -> list[str]:
        """The newest name of each flag that any version has."""
        return list(self._file.flags)


def _names_of(name: str, facts: Mapping[str, Any] | None) -> list[str]:
    if facts is None:
        return []
    others = [alias[2:] for alias in facts.get("aliases", ()) if alias.startswith("--")]
    return [facts.get("name", name), *others, *facts.get("negations", ())]
