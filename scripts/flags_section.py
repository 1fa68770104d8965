"""The part of an engine's page that is about its flags, from the timeline that was captured."""

from __future__ import annotations

from collections.abc import Iterator

from page_parts import table

from anvil_gen.catalog.flag_timeline import FlagTimeline

INTRODUCTION = """
## Flags of its versions

A tier's `flags` are checked against those of its version, which the tag of its image says: an error at an official
image of a known version, a warning at any other. `anvil-gen flags {name}` lists them, `--diff` compares two versions,
`--schema` prints a JSON Schema for editors; `flag_check = false` on a tier switches the check off.

How many each captured version has, and how many an independent count of its source, or of what the program completes,
found:
"""


def flags_section(name: str, timeline: FlagTimeline) -> Iterator[str]:
    """Yield the lines: counts by version, and what went, with what to write instead."""
    yield from INTRODUCTION.format(name=name).splitlines()
    yield ""
    yield from table(("version", "captured", "counted"), ((v, str(a), str(b)) for v, (a, b) in timeline.counts.items()))
    gone = sorted(_gone(timeline), key=lambda row: (timeline.versions.index(row[1]), row[0]))
    if gone:
        yield from ("", "What went, by the first captured version without it:", "")
        yield from table(
            ("flag", "gone in", "instead"), ((f"`{flag}`", since, text or "-") for flag, since, text in gone)
        )


def _gone(timeline: FlagTimeline) -> Iterator[tuple[str, str, str]]:
    for flag in timeline.all_names:
        since, definition = timeline.history(flag)[-1]
        if definition is None and timeline.find(flag, timeline.newest) is None:
            absence = timeline.absence(flag, timeline.newest)
            yield f"--{flag}", since, absence.instead if absence is not None else ""
    for variable, history in timeline.variables.items():
        if history[-1][1] is None:
            yield variable, history[-1][0], ""
