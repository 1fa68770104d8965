"""The flags of an engine's versions."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from msgspec import to_builtins

from anvil_gen.catalog.flag_diff import FlagChange, described
from anvil_gen.catalog.flag_timeline import Flag, FlagTimeline
from anvil_gen.cli.views.json_output import print_json


def show_flags(engine: str, timeline: FlagTimeline, version: str, *, as_json: bool) -> None:
    """Print every flag of a version, and the environment variables of an engine that has those."""
    flags = sorted(timeline.flags(version), key=lambda flag: flag.name)
    variables = sorted(timeline.variables_of(version))
    if as_json:
        print_json(engine=engine, version=version, flags=[to_builtins(flag) for flag in flags], variables=variables)
        return
    _rows([(f"--{flag.name}", described(flag)) for flag in flags] + [(name, "variable") for name in variables])


def show_flag(engine: str, timeline: FlagTimeline, name: str, *, as_json: bool) -> None:
    """Print one flag through the versions: what each that changed it made of it."""
    steps = [(since, timeline.at(name, since)) for since, _ in timeline.history(name)]
    if as_json:
        entries = [{"version": since, "flag": None if flag is None else to_builtins(flag)} for since, flag in steps]
        print_json(engine=engine, name=name, history=entries)
        return
    _rows([(since, "gone" if flag is None else f"{_typed(timeline, flag)}: {_whole(flag)}") for since, flag in steps])


def show_changes(engine: str, old: str, new: str, changes: Sequence[FlagChange], *, as_json: bool) -> None:
    """Print what differs between two versions."""
    if as_json:
        print_json(engine=engine, old=old, new=new, changes=[to_builtins(change) for change in changes])
        return
    for change in changes:
        click.echo(f"{change.kind:8} --{change.name}" + (f": {change.detail}" if change.detail else ""))
    if not changes:
        click.echo(f"no flag differs between {old} and {new}")


def _typed(timeline: FlagTimeline, flag: Flag) -> str:
    """Return a flag with its dashes; a variable has none."""
    return flag.name if flag.name in timeline.variables else f"--{flag.name}"


def _whole(flag: Flag) -> str:
    facts = [described(flag)]
    facts += [f"also {' '.join(flag.aliases)}"] if flag.aliases else []
    facts += [f"off by {' '.join(f'--{name}' for name in flag.negations)}"] if flag.negations else []
    facts += [f"keys {json.dumps(list(flag.keys))}"] if flag.keys else []
    return "; ".join(facts)


def _rows(rows: Sequence[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        click.echo(f"{name:{width}}  {text}")
