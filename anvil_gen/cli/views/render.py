"""Rendered trees: what was written, or would be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import click

from anvil_gen.cli.views.changes import change_json, change_lines
from anvil_gen.cli.views.diagnostics import diagnostic_json
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.deploy.compose_diff import Action, recreated
from anvil_gen.deploy.diff_text import diff_text
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import display_path
from anvil_gen.resolve.model import Mode, Route

_VERBS = {"create": "wrote", "update": "wrote", "delete": "removed"}


class View(Protocol):
    """How the answer of a verb is shown."""

    def written(self, outcomes: Sequence[Plan]) -> None:
        """Show what was written."""

    def checked(self, outcomes: Sequence[Plan]) -> None:
        """Show what a write would change."""


class TextView:
    """Answers as lines on stdout."""

    def written(self, outcomes: Sequence[Plan]) -> None:
        """Print a line for each file, and what it means for each service."""
        for outcome in outcomes:
            self._host(outcome, _VERBS)

    def checked(self, outcomes: Sequence[Plan]) -> None:
        """Print a diff where the tree on disk differs."""
        for outcome in outcomes:
            for change in outcome.files:
                click.echo(_coloured(diff_text(change)), nl=False)
            if outcome.files:
                self._host(outcome, {"create": "missing", "update": "differs", "delete": "is left over"})
                self._mend(outcome)
            else:
                self._host(outcome, {})

    def _mend(self, outcome: Plan) -> None:
        """Print what makes the tree what it should be; where that would lose somebody's work, both ways out."""
        command = outcome.rendered.command
        by_hand = [change.path for change in outcome.folder.foreign(outcome.files)]
        if by_hand:
            click.echo(f"  changed by hand: {', '.join(by_hand)}")
            click.echo(f"  to keep that, write it into {outcome.rendered.inventory.as_posix()} and render again:\n")
            click.echo(f"    {command}\n\n  to overwrite it:\n\n    {command} --force\n")
        else:
            click.echo(f"  to mend it:\n\n    {command}\n")

    def _host(self, outcome: Plan, verbs: dict[str, str]) -> None:
        rendered = outcome.rendered
        head = f"{click.style(rendered.host, bold=True)} -> {display_path(rendered.output)}"
        if not outcome.files:
            click.echo(f"{head}: {len(rendered.tree.files)} files, nothing changed")
            return
        click.echo(head)
        width = max(len(verbs[change.action]) for change in outcome.files)
        for change in outcome.files:
            click.echo(f"  {verbs[change.action]:{width}}  {change.path}")
        for line in change_lines(outcome.changes):
            click.echo(f"  {line}")
        services = recreated(outcome.changes, outcome.rendered.project)
        if services:
            click.echo(f"  the next `docker compose up -d` recreates: {', '.join(services)}")
        gone = _gone(outcome)
        if gone:
            click.echo(f"  until it is stopped, a container keeps its card and port: {', '.join(gone)}; to stop it:\n")
            click.echo("    docker compose up -d --remove-orphans\n")


class JsonView:
    """Answers as one JSON document on stdout."""

    def written(self, outcomes: Sequence[Plan]) -> None:
        """Print what was written."""
        print_json(hosts=[_outcome_json(outcome) for outcome in outcomes], diagnostics=_warnings(outcomes))

    def checked(self, outcomes: Sequence[Plan]) -> None:
        """Print what a write would change."""
        self.written(outcomes)


def _gone(outcome: Plan) -> list[str]:
    """Return the services of the main project that are no longer in it: Compose leaves their containers running."""
    return [
        change.address[1]
        for change in outcome.changes
        if change.project == outcome.rendered.project
        and change.action is Action.DELETE
        and change.service is not None
        and len(change.address) == 2
    ]


def _coloured(diff: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    lines = diff.splitlines(keepends=True)
    return "".join(click.style(line, fg=colours[line[0]]) if line[:1] in colours else line for line in lines)


def _outcome_json(outcome: Plan) -> dict[str, Any]:
    return {
        "host": outcome.rendered.host,
        "inventory": outcome.rendered.inventory.as_posix(),
        "output": outcome.rendered.output.as_posix(),
        "files": [{"path": change.path, "action": change.action} for change in outcome.files],
        "changes": [change_json(change) for change in outcome.changes],
        "recreates": recreated(outcome.changes, outcome.rendered.project),
        "routes": [_route_json(mode, route) for mode in outcome.rendered.stack.modes for route in _routes(mode)],
    }


def _routes(mode: Mode) -> tuple[Route, ...]:
    return mode.router.routes if mode.router is not None else ()


def _route_json(mode: Mode, route: Route) -> dict[str, Any]:
    return {"mode": mode.title, "name": route.name, "tier": route.tier, "how": route.how}


def _warnings(outcomes: Sequence[Plan]) -> list[dict[str, Any]]:
    return [diagnostic_json(warning) for outcome in outcomes for warning in outcome.rendered.warnings]
