"""``anvil-gen up``: start or update services with ``docker compose up -d``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from anvil_gen.cli import options
from anvil_gen.cli.group_verbs import Tell, group_ranks, up_group
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.diagnostics import Diagnostic, ExitCode
from anvil_gen.machine.compose import Hashes, Project
from anvil_gen.machine.containers import ContainerQuery
from anvil_gen.machine.dotenv import require_env_file
from anvil_gen.machine.project_lock import project_lock
from anvil_gen.operate.early import EarlyQuestions
from anvil_gen.resolve.root_files import root_file_of

if TYPE_CHECKING:
    from anvil_gen.operate.deployment import Deployment
    from anvil_gen.operate.up import UpResult

_Asked = tuple[Sequence[int], Hashes, ContainerQuery]
"""Descriptors that Compose keeps open, so that the turn lasts as long as it; and the first questions to Docker."""


@click.command("up", cls=HostCommand, short_help="Start or update the services of a host or a group.")
@options.host
@options.tiers
@options.mode
@click.option("--pull", is_flag=True, help="Pull the images first, to follow tags that have moved.")
@click.option("--render", "render_first", is_flag=True, help="Render first if the files are out of date.")
@click.option("--keep-removed", is_flag=True, help="Leave services running that are no longer in the inventory.")
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
    keep_removed: bool,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> ExitCode:
    """Start or update a host's services, or a group's ranks on all of its hosts.

    Runs `docker compose up -d` in the host's folder, even if everything runs already: services that differ from the
    files are recreated, all others are left alone. Without a tier, what is no longer in the inventory is stopped first.
    Without --mode, the mode that runs goes on. Reports what happened to each service.

    Refuses to touch anything, with all reasons at once, if the files do not match the inventory, or if a service that
    would be created or recreated could not start: a variable without a value, a port or a name that is taken, a model,
    GPU or volume that is missing, an image that is nowhere.

    With --wait, returns when every service is healthy, or running if it has no health check. Exits 1 if a service
    exits, keeps restarting, becomes unhealthy or is not ready in time, and prints the relevant lines of its log and
    the cause, if known. Ctrl-C stops the waiting, not the containers.

    A group is started over the hosts' Docker contexts, workers first; where a rank is lost, all are recreated.

    \b
    Examples:
      anvil-gen up fakoli-dark              all services of the default mode
      anvil-gen up fakoli-dark fast         one tier
      anvil-gen up fakoli-dark --wait       wait until the models answer
      anvil-gen up lab-quad --mode coding   switch to a mode; stops what is not in it
      anvil-gen up sparks                   one model over several hosts
    """
    _check_options(mode, timeout, wait=wait, keep_removed=keep_removed)
    one = partial(
        _up, as_json=as_json, pull=pull, render=render_first, keep_removed=keep_removed, waiting=(wait, timeout)
    )
    ranks = group_ranks(host, Path.cwd())
    if not ranks:
        return one(host, tiers, mode, None)
    if tiers or mode is not None:
        raise click.UsageError("a group has one tier, and no mode: name the group alone")
    from anvil_gen.cli.commands.down import down_one  # noqa: PLC0415  most runs are of a host

    act = (lambda name, tier, tell: one(name, (tier,), None, tell), partial(down_one, as_json=as_json))
    return up_group(ranks, *act, render=render_first, pull=pull, as_json=as_json)


def _up(
    host: str,
    tiers: tuple[str, ...],
    mode: str | None,
    tell: Tell | None,
    *,
    waiting: tuple[bool, float | None],
    as_json: bool,
    **request: bool,
) -> ExitCode:
    wait, timeout = waiting
    with ExitStack() as turn:
        early = EarlyQuestions(host, Path.cwd(), partial(_ask, turn, host, tiers, mode))
        # Imported, and the inventory resolved, while Docker answers.
        from anvil_gen.cli.target_verbs import units_of  # noqa: PLC0415

        deployment, units = units_of(host, json=as_json, **request)
        if units is not None:
            return ExitCode.of_command(units.up(tiers, mode, wait=wait))
        up = _start(deployment, early.about(deployment.project), tiers, mode, as_json=as_json, **request)
    up = _with_causes(up)
    diagnostics = _causes(up) if up.failed else []
    if diagnostics and not as_json:
        _warn(*diagnostics, as_json=False)
    if wait and up.code != ExitCode.INTERRUPTED:
        from anvil_gen.cli.up_wait import wait_and_report  # noqa: PLC0415  only waiting needs it

        return wait_and_report(up, diagnostics, timeout=timeout, as_json=as_json, tell=tell)
    from anvil_gen.cli.views.services import show_results  # noqa: PLC0415

    show_results(up.deployment.stack.host, up.results, diagnostics, as_json=as_json, tell=tell)
    return ExitCode.of_command(up.code)


def _check_options(mode: str | None, timeout: float | None, *, wait: bool, keep_removed: bool) -> None:
    if timeout is not None and not wait:
        raise click.UsageError("--timeout requires --wait")
    if keep_removed and mode is not None:
        raise click.UsageError("--mode stops what is not in the mode: leave --keep-removed out")


def _ask(turn: ExitStack, host: str, tiers: tuple[str, ...], mode: str | None, project: Project) -> _Asked:
    """Have the project's turn, and ask what must be known before anything is changed."""
    require_env_file(project.folder)
    turn.close()  # where it was asked in vain
    held = turn.enter_context(project_lock(project.folder, partial(options.report_waiting, host)))
    hashes = Hashes(project, root_file_of(mode), every_profile=bool(tiers))
    return held, hashes, ContainerQuery(project.docker, project.name)


def _start(
    deployment: Deployment, asked: _Asked, tiers: tuple[str, ...], mode: str | None, *, as_json: bool, **request: bool
) -> UpResult:
    from anvil_gen.operate.up import start_services  # noqa: PLC0415
    from anvil_gen.operate.up_plan import UpRequest  # noqa: PLC0415

    held, hashes, query = asked
    return start_services(
        UpRequest(tiers=tiers, mode=mode, **request),
        deployment,
        query,
        hashes,
        inherited=held,
        warn=partial(_warn, as_json=as_json),
        while_running=_import_views,
    )


def _with_causes(up: UpResult) -> UpResult:
    """Return what was done with the lines of the inventory that it follows from."""
    if not any(one.changes for one in up.results):
        return up
    from anvil_gen.review.live import results_with_causes  # noqa: PLC0415  most runs change nothing

    return replace(up, results=results_with_causes(up.results, up.deployment))


def _causes(up: UpResult) -> list[Diagnostic]:
    """Return why services did not start."""
    from anvil_gen.operate.doctor.diagnose import diagnose  # noqa: PLC0415  only a failure needs it

    return diagnose(up.deployment, up.mode, up.services)


def _warn(*diagnostics: Diagnostic, as_json: bool) -> None:
    from anvil_gen.cli.views.diagnostics import show_diagnostics  # noqa: PLC0415  most runs have none

    show_diagnostics(diagnostics, as_json=as_json)


def _import_views() -> None:
    import anvil_gen.cli.views.services  # noqa: F401, PLC0415  while Compose runs
