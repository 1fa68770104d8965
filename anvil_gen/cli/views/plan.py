"""What a change does to hosts: as text, as JSON, and as annotations of GitHub."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from anvil_gen.cli.views.changes import change_json, edit_text, key_of, place_of, texts_of
from anvil_gen.cli.views.fit import fit_lines, host_json
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.cli.views.service_lines import Entry, changed_lines, entry_lines
from anvil_gen.deploy.compose_diff import Cause
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.diagnostics import Diagnostic, display_path, printable
from anvil_gen.inventory.fleet import repository_of
from anvil_gen.operate.readiness import duration
from anvil_gen.resolve.model import EXPERIMENT_FILE
from anvil_gen.resolve.root_files import DEFAULT_MODE, ROOT_FILE
from anvil_gen.review.consequence import ServiceChange
from anvil_gen.review.host_access import ROOT, Exposure
from anvil_gen.review.host_plan import HostPlan
from anvil_gen.review.names import NameChange


def show_text(plans: Sequence[HostPlan]) -> None:
    """Print what changes of each host, why, and what happens to each service."""
    shared = shared_notes(plans)
    for note in shared:
        click.echo(note)
    for plan in plans:
        name = click.style(plan.host, bold=True)
        if plan.changes:
            click.echo(f"{name}{f': {inventory_text(plan)}' if plan.is_reworded or not plan.is_edited else ''}")
        else:
            click.echo(f"{name}: no changes{f'; {inventory_text(plan)}' if plan.is_reworded else ''}")
        for line in plan_lines(plan, shared):
            click.echo(f"  {line}")


def shared_notes(plans: Sequence[HostPlan]) -> list[str]:
    """Return the notes that are the same of each of several hosts, such as those of the fleet's version."""
    return [note for note in plans[0].notes if all(note in plan.notes for plan in plans)] if len(plans) > 1 else []


def inventory_text(plan: HostPlan) -> str:
    """Return what is to be said of an inventory that has the same values as before."""
    if plan.is_reworded:
        return "its inventory differs only in order, layout or comments"
    return "its inventory has not changed"


def plan_lines(plan: HostPlan, told: Collection[str] = ()) -> Iterator[str]:
    """Yield what happens to the services of a host, what changes of each, and why; notes that are ``told`` are not."""
    yield from (note for note in plan.notes if note not in told)
    yield from entry_lines(entries_of(plan.services))
    yield from (click.style(text, bold=True) for text in map(name_text, plan.names))
    if plan.fit is not None:
        yield from fit_lines(plan.fit)
    if plan.files and not plan.services:
        yield f"no service changes: {', '.join(change.path for change in plan.files)}"
    yield from idle_lines(plan)


def idle_lines(plan: HostPlan) -> Iterator[str]:
    """Yield a line for each edit that changes no file."""
    return (f"changes no file: {text}  {click.style(place, dim=True)}" for text, place in idle_texts(plan))


def idle_texts(plan: HostPlan) -> Iterator[tuple[str, str]]:
    """Yield the edits that change no file, each with its place."""
    return ((edit_text(cause), place_of(cause)) for cause in plan.idle)


def entries_of(services: Iterable[ServiceChange]) -> list[Entry]:
    """Return what is planned of services."""
    return [_entry_of(one, told) for one, told in with_told(services)]


def with_told(services: Iterable[ServiceChange]) -> Iterator[tuple[ServiceChange, set[tuple[str, int | None, str]]]]:
    """Yield services, each with the causes that those before it have told."""
    told = set[tuple[str, int | None, str]]()
    for one in services:
        yield one, told
        told = told | {key_of(change.cause) for change in one.changes if change.cause is not None}


def name_text(one: NameChange) -> str:
    """Return what becomes of a name that clients ask for."""
    answers = f"{one.before} -> {one.after}" if one.before else f"new, answered by {one.after}"
    return f'"{printable(one.name)}" for clients: {answers if one.after else "no longer answered"}{_in_modes(one)}'


def _in_modes(one: NameChange) -> str:
    return "" if DEFAULT_MODE in one.modes else f" (mode {', '.join(one.modes)})"


def _entry_of(one: ServiceChange, told: Collection[tuple[str, int | None, str]]) -> Entry:
    exposed = (click.style(f"now {text}", bold=is_new) for text, is_new in exposed_texts(one))
    notes = map(printable, one.notes)
    return Entry(
        service=title_of(one),
        consequence=one.consequence,
        word=one.consequence.value,
        note=meaning_of(one),
        lines=(*changed_lines(one.changes, told), *notes, *exposed),
    )


def meaning_of(one: ServiceChange) -> str:
    """Return what a consequence is for a service's users, and how long that may take."""
    if one.consequence is Consequence.NONE and not one.before:  # it has no container that could stay
        return "nothing starts it by itself"
    if one.consequence is Consequence.NONE and one.root == EXPERIMENT_FILE:
        return "from the next trial on"
    return "; ".join(filter(None, (one.consequence.wording.meaning, _start(one))))


def exposed_texts(one: ServiceChange) -> Iterator[tuple[str, bool]]:
    """Yield what is new about a service that a reviewer must not overlook, and whether it is new to its host."""
    for exposure in sorted(one.exposures, key=lambda exposure: not is_unusual(one, exposure)):
        what, value = exposure
        yield f"{what}{f': {printable(value)}' if value else ''}", is_unusual(one, exposure)


def is_unusual(one: ServiceChange, exposure: Exposure) -> bool:
    """Tell whether something is new to a service's host, or the worst of all."""
    return exposure not in one.usual or ROOT in exposure[0]


def title_of(one: ServiceChange) -> str:
    """Return a service's name, with the mode that it changes in where that is not the default one."""
    mode = mode_of(one.root)
    return one.service if mode in ("", DEFAULT_MODE) or one.root == EXPERIMENT_FILE else f"{one.service} (mode {mode})"


def mode_of(root: str) -> str:
    """Return how a person names the mode of a root file; nothing for what is in no mode."""
    return DEFAULT_MODE if root == ROOT_FILE else root.partition(".")[2].removesuffix(".yml")


def _start(one: ServiceChange) -> str:
    """Return how long a recreated service took to start the last time, or may take, as its health check allows."""
    if one.consequence is not Consequence.RECREATE:
        return ""
    if one.last_start is not None:
        return f"last start: {duration(one.last_start)}"
    check = one.after.get("healthcheck")
    limit = check.get("start_period") if isinstance(check, dict) else None
    return f"start: up to {limit}" if limit else ""


def show_json(plans: Sequence[HostPlan]) -> None:
    """Print plans as JSON."""
    print_json(hosts=[plan_json(plan) for plan in plans])


def plan_json(plan: HostPlan) -> dict[str, Any]:
    """Return what changes of a host, for programs."""
    fit = {"fit": host_json(plan.fit)} if plan.fit is not None else {}
    names = {"names": [_name_json(one) for one in plan.names]} if plan.names else {}
    idle = {"without_effect": [_cause_json(cause) for cause in plan.idle]} if plan.idle else {}
    return {"host": plan.host, "services": [_service_json(one) for one in plan.services], **names, **fit, **idle}


def _name_json(one: NameChange) -> dict[str, Any]:
    before, after = one.before or None, one.after or None
    return {"name": one.name, "before": before, "after": after, "modes": list(one.modes)}


def _service_json(one: ServiceChange) -> dict[str, Any]:
    pairs = [(change, change_json(change)) for change in one.changes]
    changes = [
        {"address": ".".join(change.address), "before": values["before"], "after": values["after"]}
        | {"cause": _cause_json(change.cause)}
        for change, values in pairs
    ]
    exposures = [{"what": what, "value": value} for what, value in one.exposures]
    found = {"service": one.service, "consequence": one.consequence.value, "changes": changes, "exposures": exposures}
    return found | ({"notes": list(one.notes)} if one.notes else {})


def _cause_json(cause: Cause | None) -> dict[str, Any] | None:
    return None if cause is None else {"file": cause.file, "line": cause.line, "key": cause.key}


def show_annotations(plans: Sequence[HostPlan]) -> None:
    """Print plans as commands of a GitHub workflow, which shows each at the line that is its cause."""
    for plan in plans:
        show_error_annotations(plan.warnings)
        for one in plan.services:
            for text, cause in texts_of(one.changes):
                click.echo(_annotation(plan, one, cause, text))
            for text, _ in exposed_texts(one):
                click.echo(_annotation(plan, one, None, f"{one.service} now {text}"))
        for cause in plan.idle:
            where = _where(plan, cause) | {"title": f"{plan.host}: changes no file"}
            click.echo(_command("notice", where, edit_text(cause)))


def _annotation(plan: HostPlan, one: ServiceChange, cause: Cause | None, text: str) -> str:
    level = "warning" if one.consequence in (Consequence.RECREATE, Consequence.STOP) else "notice"
    title = f"{plan.host}: {one.consequence.value} {one.service}"
    return _command(level, _where(plan, cause) | {"title": title}, text)


def _where(plan: HostPlan, cause: Cause | None) -> dict[str, str]:
    file = plan.inventory if cause is None or cause.key == "version" else cause.file
    where = {"file": _in_repository(file)}
    return where if cause is None or cause.line is None else where | {"line": str(cause.line)}


def _in_repository(file: str) -> str:
    """Return where a file is in its repository, as GitHub looks for it, wherever the fleet is in it."""
    here = Path.cwd()
    return display_path(here / file, repository_of(here))


def show_error_annotations(diagnostics: Sequence[Diagnostic]) -> None:
    """Print errors and warnings as commands of a GitHub workflow."""
    for one in diagnostics:
        where = {"title": one.summary}
        if one.location is not None:
            where |= {"file": _in_repository(one.location.file), "line": str(one.location.line or 1)}
        click.echo(_command(one.severity, where, " ".join(filter(None, (one.detail, one.remedy)))))


def _command(level: str, where: Mapping[str, str], text: str) -> str:
    parts = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in where.items())
    return f"::{level} {parts}::{_escaped(text)}"


def _escaped(text: str, also: str = "") -> str:
    for char in "%\r\n" + also:
        text = text.replace(char, f"%{ord(char):02X}")
    return text
