"""``anvil-gen up``: start or update services with ``docker compose up -d``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anvil_gen.cli import options
from anvil_gen.diagnostics import Diagnostic, ExitCode
from anvil_gen.machine.containers import ContainerQuery
from anvil_gen.machine.project_lock import project_lock
from anvil_gen.operate.deployment import open_deployment

if TYPE_CHECKING:
    from anvil_gen.operate.up import UpResult


@click.command("up")
@options.host
@options.tiers
@options.mode
@click.option("--pull", is_flag=True, help="Pull the images first, to follow tags that have moved.")
@click.option("--render", "render_first", is_flag=True, help="Render first if the files are out of date.")
@click.option("--wait", is_flag=True, help="Wait until all services are healthy, and show their progress.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="Maximum time for --wait (default: as long as the health checks allow).",
)
@options.as_json
def command(
    *,
    host: str,
    tiers: tuple[str, ...],
    mode: str | None,
    pull: bool,
    render_first: bool,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> ExitCode:
    """Start or update a host's services.

    Runs `docker compose up -d` in the host's folder, even if everything runs already: services that differ from the
    files are recreated, all others are left alone. Reports what happened to each service. Refuses to run if the files
    do not match the inventory.

    With --wait, returns when every service is healthy, or running if it has no health check. Exits 1 if a service
    exits, keeps restarting, becomes unhealthy or is not ready in time, and prints the relevant lines of its log and
    the cause, if known. Ctrl-C stops the waiting, not the containers.

    \b
    Examples:
      anvil-gen up fakoli-dark              all services of the default mode
      anvil-gen up fakoli-dark fast         one tier
      anvil-gen up fakoli-dark --wait       wait until the models answer
      anvil-gen up lab-quad --mode coding   switch to a mode; stops what is not in it
    """
    if timeout is not None and not wait:
        raise click.UsageError("--timeout requires --wait")
    deployment = open_deployment(host, Path.cwd())
    with project_lock(deployment.project.folder, partial(options.report_waiting, host)) as held:
        query = ContainerQuery(deployment.project.docker, deployment.project.name)
        # Imported, and the inventory resolved, while Docker answers.
        from anvil_gen.operate.up import UpRequest, start_services  # noqa: PLC0415

        request = UpRequest(tiers=tiers, mode=mode, pull=pull, render=render_first)
        warn = partial(_warn, as_json=as_json)
        up = start_services(request, deployment, query, inherited=held, warn=warn, while_running=_import_views)
    diagnostics = _causes(up) if up.failed else []
    if diagnostics and not as_json:
        _warn(*diagnostics, as_json=False)
    if wait and up.code != ExitCode.INTERRUPTED:
        from anvil_gen.cli.up_wait import wait_and_report  # noqa: PLC0415  only waiting needs it

        return wait_and_report(up, diagnostics, timeout=timeout, as_json=as_json)
    from anvil_gen.cli.views.services import show_results  # noqa: PLC0415

    show_results(up.deployment.stack.host, up.results, diagnostics, as_json=as_json)
    return ExitCode.of_command(up.code)


def _causes(up: UpResult) -> list[Diagnostic]:
    """Return why services did not start."""
    from anvil_gen.operate.doctor.diagnose import diagnose  # noqa: PLC0415  only a failure needs it

    return diagnose(up.deployment, up.mode, up.services)


def _warn(*diagnostics: Diagnostic, as_json: bool) -> None:
    from anvil_gen.cli.views.diagnostics import show_diagnostics  # noqa: PLC0415  most runs have none

    show_diagnostics(diagnostics, as_json=as_json)


def _import_views() -> None:
    import anvil_gen.cli.views.services  # noqa: F401, PLC0415  while Compose runs
