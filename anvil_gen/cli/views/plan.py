"""What a change does to hosts: as text, as JSON, and as annotations of GitHub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from anvil_gen.cli.views.changes import by_cause, change_json, change_lines
from anvil_gen.cli.views.fit import fit_lines, host_json
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.deploy.compose_diff import Cause
from anvil_gen.diagnostics import Diagnostic, printable
from anvil_gen.resolve.root_files import DEFAULT_MODE, ROOT_FILE
from anvil_gen.review.consequence import Consequence, ServiceChange
from anvil_gen.review.host_plan import HostPlan

_COLOURS = {Consequence.RECREATE: "yellow", Consequence.STOP: "red", Consequence.START: "green"}


def show_text(plans: Sequence[HostPlan]) -> None:
    """Print what changes of each host, why, and what happens to each service."""
    for plan in plans:
        name = click.style(plan.host, bold=True)
        if not plan.changes:
            click.echo(f"{name}: no changes")
            continue
        click.echo(f"{name}{'' if plan.is_edited else ': its inventory has not changed'}")
        for line in plan_lines(plan):
            click.echo(f"  {line}")


def plan_lines(plan: HostPlan) -> Iterator[str]:
    """Yield what changes of a host and why, then what happens to its services."""
    yield from plan.notes
    for one in plan.services:
        for cause, changes in by_cause(one.changes):
            place = f"  {click.style(place_of(cause), dim=True)}" if cause is not None else ""
            yield from (f"{line}{place}" for line in change_lines(changes))
        yield from (f"  {one.service}, {printable(note)}" for note in one.notes)
    yield from consequence_lines(plan.services)
    for one in plan.services:
        yield from (click.style(text, bold=True) for text in _exposed(one))
    if plan.fit is not None:
        yield from fit_lines(plan.fit)
    if not plan.services:
        yield f"no service changes: {', '.join(change.path for change in plan.files)}"


def consequence_lines(services: Sequence[ServiceChange]) -> Iterator[str]:
    """Yield what happens to services."""
    for consequence in Consequence:
        found = [one for one in services if one.consequence is consequence]
        if consequence is Consequence.NONE:  # what is new and not started has no container that could stay
            found = [one for one in found if one.before]
        if found:
            word = click.style(consequence.value, fg=_COLOURS.get(consequence))
            yield f"{word}: {', '.join(map(_with_limit, found))} ({consequence.meaning})"


def _exposed(one: ServiceChange) -> Iterator[str]:
    """Yield what is new about a service that a reviewer must not overlook."""
    return (f"{one.service} {what}{f': {printable(value)}' if value else ''}" for what, value in one.exposures)


def place_of(cause: Cause) -> str:
    """Return where a cause is: ``hosts/box.toml:12``, or the version of anvil-gen."""
    return cause.file if cause.line is None else f"{cause.file}:{cause.line}"


def title_of(one: ServiceChange) -> str:
    """Return a service's name, with the mode that it changes in where that is not the default one."""
    mode = mode_of(one.root)
    return one.service if mode in ("", DEFAULT_MODE) else f"{one.service} (mode {mode})"


def mode_of(root: str) -> str:
    """Return how a person names the mode of a root file; nothing for what is in no mode."""
    return DEFAULT_MODE if root == ROOT_FILE else root.partition(".")[2].removesuffix(".yml")


def _with_limit(one: ServiceChange) -> str:
    limit = start_limit(one)
    return f"{title_of(one)} (start: up to {limit})" if limit else title_of(one)


def start_limit(one: ServiceChange) -> str:
    """Return how long a recreated service may take to start, as its health check allows; nothing for any other."""
    if one.consequence is not Consequence.RECREATE:
        return ""
    check = one.after.get("healthcheck")
    return str(check.get("start_period") or "") if isinstance(check, dict) else ""


def show_json(plans: Sequence[HostPlan]) -> None:
    """Print plans as JSON."""
    print_json(hosts=[plan_json(plan) for plan in plans])


def plan_json(plan: HostPlan) -> dict[str, Any]:
    """Return what changes of a host, for programs."""
    fit = {"fit": host_json(plan.fit)} if plan.fit is not None else {}
    return {"host": plan.host, "services": [_service_json(one) for one in plan.services], **fit}


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
        for one in plan.services:
            for cause, changes in by_cause(one.changes):
                click.echo(_annotation(plan, one, cause, "; ".join(change_lines(changes))))
            for text in _exposed(one):
                click.echo(_annotation(plan, one, None, text))


def _annotation(plan: HostPlan, one: ServiceChange, cause: Cause | None, text: str) -> str:
    level = "warning" if one.consequence in (Consequence.RECREATE, Consequence.STOP) else "notice"
    where = {"file": plan.inventory} if cause is None or cause.key == "version" else {"file": cause.file}
    if cause is not None and cause.line is not None:
        where["line"] = str(cause.line)
    where["title"] = f"{plan.host}: {one.consequence.value} {one.service}"
    return _command(level, where, text)


def show_error_annotations(diagnostics: Sequence[Diagnostic]) -> None:
    """Print errors and warnings as commands of a GitHub workflow."""
    for one in diagnostics:
        where = {"title": one.summary}
        if one.location is not None:
            where |= {"file": one.location.file, "line": str(one.location.line or 1)}
        click.echo(_command(one.severity, where, " ".join(filter(None, (one.detail, one.remedy)))))


def _command(level: str, where: Mapping[str, str], text: str) -> str:
    parts = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in where.items())
    return f"::{level} {parts}::{_escaped(text)}"


def _escaped(text: str, also: str = "") -> str:
    for char in "%\r\n" + also:
        text = text.replace(char, f"%{ord(char):02X}")
    return text
