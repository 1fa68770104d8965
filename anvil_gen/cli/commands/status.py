"""``anvil-gen status``: what runs, and where it differs from the files and the inventory."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.diagnostics import ExitCode
from anvil_gen.machine.compose import Hashes
from anvil_gen.machine.containers import ContainerQuery
from anvil_gen.operate.target import find_target


@click.command("status")
@options.host
@options.mode
@options.as_json
def command(*, host: str, mode: str | None, as_json: bool) -> ExitCode:
    """Show what runs on a host, and where it has drifted.

    Each drift is told with its cause and with what mends it; exits 2 where there is any.

    A model in parentheses is the one that the inventory names; without them it is what the engine itself answers.
    Without --mode, services are held against the mode that has exactly those that have containers.

    \b
    Examples:
      anvil-gen status fakoli-dark
      anvil-gen status fakoli-dark --json
    """
    target = find_target(host, Path.cwd())
    project = target.project
    look, hashes = ContainerQuery(project.docker, project.name), Hashes(project)

    # Imported and done while Docker is asked.
    from anvil_gen.cli.views.services import show_status  # noqa: PLC0415
    from anvil_gen.operate.deployment import deployment_of  # noqa: PLC0415
    from anvil_gen.operate.status import status_of  # noqa: PLC0415

    status = status_of(deployment_of(target), mode, look, hashes)
    show_status(status, as_json=as_json)
    return ExitCode.DIFFERS if status.drifts else ExitCode.OK
