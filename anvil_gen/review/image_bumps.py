"""What another version of an engine changes for a tier besides what is rendered, as the defaults of flags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.flag_diff import differences, shown
from anvil_gen.catalog.flag_timeline import Flag, FlagTimeline
from anvil_gen.catalog.release import image_version
from anvil_gen.resolve.model import Stack
from anvil_gen.review.consequence import ServiceChange
from anvil_gen.text.flags import parse_flags

_OF_OTHERS = ("default", "aliases", "negations")
"""Facts of a flag that make no difference where it is given."""


def with_bumps(services: Iterable[ServiceChange], stack: Stack, catalog: Catalog) -> Iterator[ServiceChange]:
    """Yield changes of services, those with another version of their engine with what it changes."""
    engines = {tier.service.name: tier.engine for tier in stack.tiers}
    for one in services:
        is_bumped = one.before.get("image") != one.after.get("image") and one.before and one.after
        name = engines.get(one.service, "")
        yield replace(one, notes=tuple(_of_bump(one, name, catalog))) if is_bumped and name else one


def _of_bump(one: ServiceChange, name: str, catalog: Catalog) -> Iterator[str]:
    engine, timeline = catalog.engine(name), catalog.flag_timeline(name)
    if engine is None or timeline is None:
        return
    images = (str(side.get("image")) for side in (one.before, one.after))
    old, new = (timeline.newest_of_line(image_version(engine, image)) for image in images)
    if old and new and old != new:
        yield from _dropped(timeline, old, new, _given(one.before))
        yield from _changes(timeline, old, new, _given(one.after))


def _given(service: Mapping[str, Any]) -> set[str]:
    words = service.get("command")
    return {flag.lstrip("-") for flag, _ in parse_flags(map(str, words))} if isinstance(words, list) else set()


def _dropped(timeline: FlagTimeline, old: str, new: str, given: set[str]) -> Iterator[str]:
    """Yield the flags of the command before that the release does not know any more."""
    known = {name for flag in timeline.flags(new) for name in _names(flag)}
    for flag in timeline.flags(old):
        if given & _names(flag) and not known & _names(flag):
            yield f"{new}: no --{flag.name} any more, which was given here"


def _names(flag: Flag) -> set[str]:
    return {flag.name, *flag.negations, *(alias.lstrip("-") for alias in flag.aliases)}


def _changes(timeline: FlagTimeline, old: str, new: str, given: set[str]) -> Iterator[str]:
    """Yield what differs of flags that a tier gives, and the defaults of those that it does not."""
    before, after = ({flag.name: flag for flag in timeline.flags(version)} for version in (old, new))
    for name in sorted(before.keys() & after.keys()):
        one, other = before[name], after[name]
        if given & _names(one):
            texts = (text for text in differences(one, other) if not text.startswith(_OF_OTHERS))
            yield from (f"{new}: --{name}, given here: {text}" for text in texts)
        elif shown(one.default) != shown(other.default):
            yield f"{new}: --{name}, not given here: default {shown(one.default)} -> {shown(other.default)}"
