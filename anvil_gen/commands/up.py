"""``anvil-gen up``: ``docker compose up -d``, always."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from anvil_gen.commands import parameters
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.operate.containers import Look
from anvil_gen.operate.target import find_target
from anvil_gen.operate.turn import turn

if TYPE_CHECKING:
    from anvil_gen.model import Mode
    from anvil_gen.operate.bring_up import BroughtUp
    from anvil_gen.operate.compose import Project
    from anvil_gen.operate.deployment import Deployment
    from anvil_gen.operate.target import Target


@click.command("up")
@parameters.host
@parameters.tiers
@parameters.mode
@click.option("--pull", is_flag=True, help="Pull the images first, and so follow tags that have moved.")
@click.option("--render", "render_first", is_flag=True, help="Render first, where the files are not up to date.")
@click.option("--wait", is_flag=True, help="Wait until all is healthy, and show what each engine does meanwhile.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="How long --wait waits; as long as the health checks do by default.",
)
@parameters.as_json
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
    with turn(target.project.folder, partial(parameters.say_waiting, host)) as held:
        up = _bring_up(target, tiers, mode, held, pull=pull, render_first=render_first, as_json=as_json)
    if wait and up.code != ExitCode.INTERRUPTED:
        from anvil_gen.commands.wait import wait_and_tell  # noqa: PLC0415  only waiting needs it

        return wait_and_tell(up, timeout=timeout, as_json=as_json)
    from anvil_gen.views.services import show_results  # noqa: PLC0415

    show_results(up.deployment.stack.host, up.results, up.faults, as_json=as_json)
    return ExitCode.of_command(up.code)


def _bring_up(
    target: Target,
    tiers: tuple[str, ...],
    mode: str | None,
    held: Sequence[int],
    *,
    pull: bool,
    render_first: bool,
    as_json: bool,
) -> BroughtUp:
    look = Look(target.project.docker, target.project.name)

    # Imported and done while Docker is asked.
    from anvil_gen.operate.bring_up import BroughtUp, remove_unfinished, results, snapshot  # noqa: PLC0415
    from anvil_gen.operate.deployment import deployment_of  # noqa: PLC0415
    from anvil_gen.views import services as _  # noqa: F401, PLC0415  shows what this returns

    deployment = _current(deployment_of(target), render_first=render_first, as_json=as_json)
    chosen = deployment.mode(mode)
    services = deployment.services(chosen, tiers)
    project = deployment.project
    # Compose is told no services where all are meant.
    named = services if tiers else []
    if project.docker.is_remote:
        _refuse_unmountable(deployment, chosen, named)
    before = snapshot(deployment, look)
    for name in remove_unfinished(project, look):
        click.echo(f"removed {name}: an `up` that was cut short had not finished it", err=True)
    code = _compose(project, named, chosen.root_file, held, pull=pull, switch=mode is not None)
    failed = code not in (ExitCode.OK, ExitCode.INTERRUPTED)
    faults = _causes(deployment, chosen, named, as_json=as_json) if failed else []
    done = results(project, services, before, snapshot(deployment))
    return BroughtUp(deployment=deployment, mode=chosen, before=before, results=done, code=code, faults=faults)


def _compose(
    project: Project, services: Sequence[str], root_file: str, held: Sequence[int], *, pull: bool, switch: bool
) -> int:
    """Run Compose, and return its exit code; ``switch`` stops what is not in the mode."""
    orphans = ("--remove-orphans",) if switch else ()
    pulled = ("pull", "--ignore-buildable", *services)
    code = project.tell(*pulled, root_file=root_file, inherited=held) if pull else 0
    return code or project.tell("up", "--detach", *orphans, *services, root_file=root_file, inherited=held)


def _refuse_unmountable(deployment: Deployment, mode: Mode, services: Sequence[str]) -> None:
    """Refuse an engine on another machine that would have to mount files of this one.

    Raises:
        DiagnosticError: there are such files.
    """
    from anvil_gen.doctor.machine_checks import remote_fault  # noqa: PLC0415  most engines are here
    from anvil_gen.doctor.subject import Subject  # noqa: PLC0415

    fault = remote_fault(Subject(deployment, mode, services))
    if fault is not None:
        raise DiagnosticError([fault])


def _causes(deployment: Deployment, mode: Mode, services: Sequence[str], *, as_json: bool) -> list[Diagnostic]:
    """Return why services did not come up, told already unless it is a part of the JSON answer."""
    from anvil_gen.doctor.causes import causes_of  # noqa: PLC0415  only a failure needs it
    from anvil_gen.views.faults import show_faults  # noqa: PLC0415

    faults = causes_of(deployment, mode, services)
    if not as_json:
        show_faults(faults, as_json=False)
    return faults


def _current(deployment: Deployment, *, render_first: bool, as_json: bool) -> Deployment:
    """Return the host with files that may be run.

    Raises:
        DiagnosticError: they are not what the inventory renders.
    """
    from anvil_gen.operate.deployment import staleness  # noqa: PLC0415  as above
    from anvil_gen.views.faults import show_faults  # noqa: PLC0415

    if render_first and deployment.stale:
        from anvil_gen.generate import against_disk, generator, write_readable  # noqa: PLC0415  only this needs it

        write_readable([against_disk(generator().render(deployment.resolved.inventory))])
        return structs.replace(deployment, outcome=None)
    fault = staleness(deployment)
    if fault is not None and fault.severity == "error":
        raise DiagnosticError([fault])
    show_faults([fault] if fault is not None else [], as_json=as_json)
    return deployment
