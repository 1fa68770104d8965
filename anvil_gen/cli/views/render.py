"""Rendered trees: what was written, or would be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import click

from anvil_gen.cli.views.changes import change_json
from anvil_gen.cli.views.diagnostics import diagnostic_json
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.deploy.compose_diff import ROUTES, recreated
from anvil_gen.deploy.diff_text import diff_text
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.deploy.plan import Plan
from anvil_gen.diagnostics import display_path
from anvil_gen.resolve.model import Mode
from anvil_gen.resolve.router_model import Route

_VERBS = {"create": "wrote", "update": "wrote", "delete": "removed"}


class View(Protocol):
    """How the result of a render is printed."""

    def written(self, plans: Sequence[Plan]) -> None:
        """Show what was written."""

    def checked(self, plans: Sequence[Plan]) -> None:
        """Show what a write would change."""


class TextView:
    """Lines on stdout."""

    def __init__(self, generator: Generator) -> None:
        """Take what renders: the cause of a change is tried."""
        self._generator = generator

    def written(self, plans: Sequence[Plan]) -> None:
        """Print a line for each file, and what it means for each service."""
        for plan in plans:
            self._host(plan, _VERBS)

    def checked(self, plans: Sequence[Plan]) -> None:
        """Print a diff where the tree on disk differs."""
        for plan in plans:
            for change in plan.files:
                click.echo(_coloured(diff_text(change)), nl=False)
            if plan.files:
                self._host(plan, {"create": "missing", "update": "differs", "delete": "left over"})
                self._print_fix(plan)
            else:
                self._host(plan, {})

    def _print_fix(self, plan: Plan) -> None:
        """Print the command that updates the tree; where it would overwrite manual edits, both options."""
        command = plan.host.command
        edited = [change.path for change in plan.folder.foreign(plan.files)]
        if edited:
            click.echo(f"  manually edited: {', '.join(edited)}")
            click.echo(f"  to keep the edits, write them into {plan.host.path.as_posix()} and render again:\n")
            click.echo(f"    {command}\n\n  to overwrite them:\n\n    {command} --force\n")
        else:
            click.echo(f"  to fix it:\n\n    {command}\n")

    def _host(self, plan: Plan, verbs: dict[str, str]) -> None:
        host = plan.host
        head = f"{click.style(plan.title, bold=True)} -> {display_path(host.output)}"
        if not plan.files:
            click.echo(f"{head}: {len(plan.tree.files)} files, nothing changed")
            return
        click.echo(head)
        width = max(len(verbs[change.action]) for change in plan.files)
        for change in plan.files:
            click.echo(f"  {verbs[change.action]:{width}}  {change.path}")
        # Where nothing changes, as in CI, nothing of a review is needed.
        from anvil_gen.cli.views.plan import entries_of, idle_lines  # noqa: PLC0415
        from anvil_gen.cli.views.service_lines import entry_lines  # noqa: PLC0415
        from anvil_gen.review.host_plan import against_disk  # noqa: PLC0415

        (found,) = against_disk([plan], self._generator)
        for line in (*entry_lines(entries_of(found.services)), *idle_lines(found)):
            click.echo(f"  {line}")


class JsonView:
    """One JSON document on stdout."""

    def written(self, plans: Sequence[Plan]) -> None:
        """Print what was written."""
        print_json(hosts=[_plan_json(plan) for plan in plans], diagnostics=_warnings(plans))

    def checked(self, plans: Sequence[Plan]) -> None:
        """Print what a write would change."""
        self.written(plans)


def _reloaded(plan: Plan) -> str:
    """Return the router whose routes the next ``up`` reloads; nothing where it is recreated anyway."""
    router = plan.host.stack.router
    changed = [change for change in plan.changes if change.address[2:3] == (ROUTES,)]
    if router is None or not changed or router.service in recreated(plan.changes, plan.host.project):
        return ""
    return router.service


def _coloured(diff: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    lines = diff.splitlines(keepends=True)
    return "".join(click.style(line, fg=colours[line[0]]) if line[:1] in colours else line for line in lines)


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "host": plan.title,
        "inventory": plan.host.path.as_posix(),
        "output": plan.host.output.as_posix(),
        "files": [{"path": change.path, "action": change.action} for change in plan.files],
        "changes": [change_json(change) for change in plan.changes],
        "recreates": recreated(plan.changes, plan.host.project),
        "reloads": [name for name in (_reloaded(plan),) if name],
        "routes": [_route_json(mode, route) for mode in plan.host.stack.modes for route in _routes(mode)],
    }


def _routes(mode: Mode) -> tuple[Route, ...]:
    return mode.router.routes if mode.router is not None else ()


def _route_json(mode: Mode, route: Route) -> dict[str, Any]:
    return {"mode": mode.title, "name": route.name, "tier": route.tier, "how": route.how}


def _warnings(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    return [diagnostic_json(warning) for plan in plans for warning in plan.host.warnings]
