"""``anvil-gen up``: ``docker compose up -d``, always."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from anvil_gen.commands import parameters
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.operate.containers import Look
from anvil_gen.operate.target import find_target

if TYPE_CHECKING:
    from anvil_gen.model import Mode
    from anvil_gen.operate.deployment import Deployment

_INTERRUPTED = 130
"""Compose's exit code after Ctrl-C."""


@click.command("up")
@parameters.host
@parameters.tiers
@parameters.mode
@click.option("--pull", is_flag=True, help="Pull the images first, and so follow tags that have moved.")
@click.option("--render", "render_first", is_flag=True, help="Render first, where the files are not up to date.")
@parameters.as_json
def command(
    *, host: str, tiers: tuple[str, ...], mode: str | None, pull: bool, render_first: bool, as_json: bool
) -> ExitCode:
    """Bring a host's services up, and say what happened to each.

    Runs `docker compose up -d` in the host's folder, also where all of it runs already: what differs from the files
    is recreated, and nothing else is touched. Files that are not what the inventory renders are refused.

    \b
    Examples:
      anvil-gen up fakoli-dark              everything of the default mode
      anvil-gen up fakoli-dark fast         one tier
      anvil-gen up lab-quad --mode coding   switch to a mode: what is not in it is stopped
    """
    target = find_target(host, Path.cwd())
    look = Look(target.project.docker, target.project.name)

    # Imported and done while Docker is asked.
    from anvil_gen.operate.bring_up import results, snapshot  # noqa: PLC0415
    from anvil_gen.operate.deployment import deployment_of  # noqa: PLC0415
    from anvil_gen.views.services import show_results  # noqa: PLC0415

    deployment = _current(deployment_of(target), render_first=render_first, as_json=as_json)
    chosen = deployment.mode(mode)
    services = deployment.services(chosen, tiers)
    project = deployment.project
    if project.docker.is_remote:
        _refuse_unmountable(deployment, chosen, services if tiers else ())
    before = snapshot(deployment, look)
    arguments = ["up", "--detach", *(("--remove-orphans",) if mode is not None else ())]
    code = 0
    if pull:
        code = project.tell("pull", "--ignore-buildable", *(services if tiers else ()), root_file=chosen.root_file)
    if code == 0:
        code = project.tell(*arguments, *(services if tiers else ()), root_file=chosen.root_file)
    failed = code not in (0, _INTERRUPTED)
    faults = _causes(deployment, chosen, services if tiers else (), as_json=as_json) if failed else []
    done = results(project, services, before, snapshot(deployment))
    show_results(deployment.stack.host, done, faults, as_json=as_json)
    return ExitCode.OK if code == 0 else ExitCode.ERROR


def _refuse_unmountable(deployment: Deployment, mode: Mode, services: Sequence[str]) -> None:
    """Refuse an engine on another machine that would have to mount files of this one.

    Raises:
        DiagnosticError: there are such files.
    """
    from anvil_gen.operate.machine_checks import remote_fault  # noqa: PLC0415  most engines are here
    from anvil_gen.operate.subject import Subject  # noqa: PLC0415

    fault = remote_fault(Subject(deployment, mode, services))
    if fault is not None:
        raise DiagnosticError([fault])


def _causes(deployment: Deployment, mode: Mode, services: Sequence[str], *, as_json: bool) -> list[Diagnostic]:
    """Return why services did not come up, told already unless it is a part of the JSON answer."""
    from anvil_gen.operate.causes import causes_of  # noqa: PLC0415  only a failure needs it
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
