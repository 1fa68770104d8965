"""``anvil-gen up``: ``docker compose up -d``, always."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.diagnostics import Diagnostic, ExitCode
from anvil_gen.machine.containers import ContainerQuery
from anvil_gen.machine.project_lock import project_lock
from anvil_gen.operate.target import find_target


@click.command("up")
@options.host
@options.tiers
@options.mode
@click.option("--pull", is_flag=True, help="Pull the images first, and so follow tags that have moved.")
@click.option("--render", "render_first", is_flag=True, help="Render first, where the files are not up to date.")
@click.option("--wait", is_flag=True, help="Wait until all is healthy, and show what each engine does meanwhile.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="How long --wait waits; as long as the health checks do by default.",
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
    """Bring a host's services up, and say what happened to each.

    Runs `docker compose up -d` in the host's folder, also where all of it runs already: what differs from the files
    is recreated, and nothing else is touched. Files that are not what the inventory renders are refused.

    With --wait it ends when every service is healthy, or runs where it has no health check; else it exits 1 when one
    ends, keeps restarting, turns unhealthy or is not ready in time, with the lines of its log that matter and the cause
    where that is known. Ctrl-C ends the waiting, and nothing else.

    \b
    Examples:
      anvil-gen up fakoli-dark              everything of the default mode
      anvil-gen up fakoli-dark fast         one tier
      anvil-gen up fakoli-dark --wait       and wait until the models answer
      anvil-gen up lab-quad --mode coding   switch to a mode: what is not in it is stopped
    """
    if timeout is not None and not wait:
        raise click.UsageError("--timeout is for --wait")
    target = find_target(host, Path.cwd())
    with project_lock(target.project.folder, partial(options.say_waiting, host)) as held:
        look = ContainerQuery(target.project.docker, target.project.name)
        # Imported, and the inventory resolved, while Docker is asked.
        from anvil_gen.operate.up import UpRequest, start_services  # noqa: PLC0415

        order = UpRequest(tiers=tiers, mode=mode, pull=pull, render=render_first)
        warn = partial(_warn, as_json=as_json)
        up = start_services(order, target, look, inherited=held, warn=warn, meanwhile=_import_views)
    if up.diagnostics and not as_json:
        _warn(*up.diagnostics, as_json=False)
    if wait and up.code != ExitCode.INTERRUPTED:
        from anvil_gen.cli.up_wait import wait_and_tell  # noqa: PLC0415  only waiting needs it

        return wait_and_tell(up, timeout=timeout, as_json=as_json)
    from anvil_gen.cli.views.services import show_results  # noqa: PLC0415

    show_results(up.deployment.stack.host, up.results, up.diagnostics, as_json=as_json)
    return ExitCode.of_command(up.code)


def _warn(*diagnostics: Diagnostic, as_json: bool) -> None:
    from anvil_gen.cli.views.diagnostics import show_diagnostics  # noqa: PLC0415  most runs have none

    show_diagnostics(diagnostics, as_json=as_json)


def _import_views() -> None:
    import anvil_gen.cli.views.services  # noqa: F401, PLC0415  while Compose runs
