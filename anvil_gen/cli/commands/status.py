"""``anvil-gen status``: show what runs, and how it differs from the files and the inventory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from anvil_gen.cli import options
from anvil_gen.cli.group_verbs import group_ranks, status_group
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.inventory.fleet import all_inventories
from anvil_gen.machine.compose import Hashes, Project
from anvil_gen.machine.containers import ContainerQuery
from anvil_gen.machine.docker import UNEXPECTED
from anvil_gen.operate.early import EarlyQuestions

if TYPE_CHECKING:
    from anvil_gen.operate.deployment import Deployment

_EVERY_SECONDS = 2


@click.command("status", cls=HostCommand, short_help="Show what runs on a host or a group of hosts.")
@click.argument("host", required=False, shell_complete=options.completing("hosts"))
@click.option("--all", "every", is_flag=True, help="Show each host of hosts/ in a row, all asked at the same time.")
@options.mode
@click.option("--watch", is_flag=True, help="Show it again and again until interrupted.")
@click.option("--metrics", is_flag=True, help="Print drift as metrics for Prometheus, as a text file.")
@options.as_json
def command(*, host: str | None, every: bool, mode: str | None, watch: bool, metrics: bool, as_json: bool) -> ExitCode:
    """Show what runs on a host, or of a group on all of its hosts, and how it has drifted.

    Reports each drift with its cause and its fix; exits 2 if there is any.

    A model in parentheses is the one that the inventory names; without parentheses it is what the engine reports.
    Without --mode, compares with the mode whose services are exactly those that have containers. Requests are those
    that the engine itself tells, and a GPU's memory what its driver says is used, on this machine.

    \b
    Examples:
      anvil-gen status fakoli-dark
      anvil-gen status fakoli-dark --json
      anvil-gen status --all --watch
      anvil-gen status sparks
      anvil-gen status fakoli-dark --metrics > /var/lib/anvil-gen/fakoli-dark.prom
    """
    if every and host is not None:
        raise click.UsageError("name a HOST or --all, not both")
    if every and mode is not None:
        raise click.UsageError("--mode is of a single HOST")
    if as_json and (watch or metrics):
        raise click.UsageError("--json cannot be combined with --watch or --metrics")
    if watch and metrics:
        raise click.UsageError("--watch and --metrics cannot be combined")
    ranks = group_ranks(host, Path.cwd()) if host is not None else []
    if ranks and mode is not None:
        raise click.UsageError("--mode is of a single HOST")
    show: Callable[[], ExitCode] = partial(_show_one, str(host), mode, as_json=as_json)
    if ranks:
        show = partial(status_group, ranks, metrics=metrics, as_json=as_json)
    elif every or metrics:
        show = partial(_show_several, host, mode, metrics=metrics, as_json=as_json)
    return _watch(show) if watch else show()


def _watch(show: Callable[[], ExitCode]) -> NoReturn:
    """Show something until it is interrupted; what cannot be shown now may be later."""
    from anvil_gen.cli.views.diagnostics import show_diagnostics  # noqa: PLC0415  one way of several

    while True:
        click.clear()
        try:
            show()
        except DiagnosticError as error:
            show_diagnostics(error.diagnostics, as_json=False)
        time.sleep(_EVERY_SECONDS)


def _show_several(host: str | None, mode: str | None, *, metrics: bool, as_json: bool) -> ExitCode:
    """Show hosts, of which one that does not answer is a row; metrics say by themselves that there is drift."""
    from anvil_gen.cli.views.fleet_status import show_fleet, show_metrics  # noqa: PLC0415  one way of several
    from anvil_gen.operate.deployment import open_deployment  # noqa: PLC0415
    from anvil_gen.operate.statuses import fleet_statuses, statuses  # noqa: PLC0415

    here = Path.cwd()
    if host is not None:
        answers = statuses([open_deployment(host, here)], mode)
    else:
        answers = fleet_statuses([str(path) for path in all_inventories(here)], here)
    if metrics:
        show_metrics(answers)
        return ExitCode.OK
    show_fleet(answers, as_json=as_json)
    return ExitCode.DIFFERS if any(one.status is not None and one.status.drifts for one in answers) else ExitCode.OK


def _show_one(host: str, mode: str | None, *, as_json: bool) -> ExitCode:
    early = EarlyQuestions(host, Path.cwd(), _ask)
    # Imported and run while Docker answers.
    from anvil_gen.cli.target_verbs import units_of  # noqa: PLC0415

    deployment, units = units_of(host, json=as_json)
    if units is not None:
        return ExitCode.of_command(units.status(mode))
    query, hashes = early.about(deployment.project)
    from anvil_gen.cli.views.services import show_status  # noqa: PLC0415
    from anvil_gen.operate.status import status_of  # noqa: PLC0415

    try:
        status = status_of(deployment, mode, query, hashes)
    except DiagnosticError as error:
        raise DiagnosticError(_causes(deployment, error)) from None
    if status.drifts and not as_json:
        from anvil_gen.review.live import status_with_causes  # noqa: PLC0415  most runs have no drift

        status = status_with_causes(status, deployment)
    show_status(status, as_json=as_json)
    return ExitCode.DIFFERS if status.drifts else ExitCode.OK


def _ask(project: Project) -> tuple[ContainerQuery, Hashes]:
    return ContainerQuery(project.docker, project.name), Hashes(project)


def _causes(deployment: Deployment, error: DiagnosticError) -> Sequence[Diagnostic]:
    """Return why the status is not known, as `up` reports it: an old Compose fails in words of its own."""
    if not {diagnostic.code for diagnostic in error.diagnostics} <= {"docker-command-failed", UNEXPECTED}:
        return error.diagnostics
    from anvil_gen.operate.doctor.diagnose import outdated  # noqa: PLC0415  only a failure needs it

    return outdated(deployment) or error.diagnostics
