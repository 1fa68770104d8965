"""The timelines of flags: what is read of them, and that the engines' own data fits each version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.flag_timeline import FlagTimeline
from anvil_gen.catalog.release import Release
from anvil_gen.resolve.flag_check import FlagRules

CATALOG = Catalog()
ENGINES = [name for name in CATALOG.names("engines") if CATALOG.flag_timeline(name) is not None]
LIMIT = 80 * 1024


def data_of(name: str) -> tuple[Engine, FlagTimeline]:
    engine, timeline = CATALOG.engine(name), CATALOG.flag_timeline(name)
    assert engine is not None
    assert timeline is not None
    return engine, timeline


def own_flags(engine: Engine) -> Iterator[tuple[str, Any]]:
    """Yield the flags that an engine's data writes; None for a value that comes from the inventory."""
    for flags in engine.fields.values():
        yield from ((flag, None) for flag in ([flags] if isinstance(flags, str) else flags))
    tables: list[Mapping[str, Any]] = [engine.flags, *engine.field_flags.values(), *engine.tasks.values()]
    for table in (*tables, *(quirk.flags for quirk in engine.quirks)):
        # A value with a place in it comes from the inventory.
        yield from ((flag, None if "{" in str(value) else value) for flag, value in table.items())
    yield from ((flag, None) for flag in engine.tool_flags)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engines_own_flags_are_those_of_each_version(name: str) -> None:
    engine, timeline = data_of(name)
    wrong = []
    for version in timeline.versions:
        rules = FlagRules(
            engine=engine,
            timeline=timeline,
            release=Release(version=version, certain=True, checked=(version,)),
        )
        for flag, value in own_flags(engine.at(version)):
            found = timeline.find(flag, version)
            told = [] if found is None or value is None else rules.findings(flag, value)
            if found is None or told:
                wrong.append((version, flag, value, [finding.detail for finding in told]))
    assert wrong == []
