"""``anvil-gen status``: show what runs, and how it differs from the files and the inventory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.machine.compose import Hashes
from anvil_gen.machine.containers import ContainerQuery
from anvil_gen.machine.docker import UNEXPECTED
from anvil_gen.operate.deployment import Deployment, open_deployment


@click.command("status", cls=HostCommand)
@options.host
@options.mode
@options.as_json
def command(*, host: str, mode: str | None, as_json: bool) -> ExitCode:
    """Show what runs on a host and how it has drifted.

    Reports each drift with its cause and its fix; exits 2 if there is any.

    A model in parentheses is the one that the inventory names; without parentheses it is what the engine reports.
    Without --mode, compares with the mode whose services are exactly those that have containers.

    \b
    Examples:
      anvil-gen status fakoli-dark
      anvil-gen status fakoli-dark --json
    """
    deployment = open_deployment(host, Path.cwd())
    project = deployment.project
    query, hashes = ContainerQuery(project.docker, project.name), Hashes(project)

    # Imported and run while Docker answers.
    from anvil_gen.cli.views.services import show_status  # noqa: PLC0415
    from anvil_gen.operate.status import status_of  # noqa: PLC0415

    try:
        status = status_of(deployment, mode, query, hashes)
    except DiagnosticError as error:
        raise DiagnosticError(_causes(deployment, error)) from None
    show_status(status, as_json=as_json)
    return ExitCode.DIFFERS if status.drifts else ExitCode.OK


def _causes(deployment: Deployment, error: DiagnosticError) -> Sequence[Diagnostic]:
    """Return why the status is not known, as `up` reports it: an old Compose fails in words of its own."""
    if not {diagnostic.code for diagnostic in error.diagnostics} <= {"docker-command-failed", UNEXPECTED}:
        return error.diagnostics
    from anvil_gen.operate.doctor.diagnose import outdated  # noqa: PLC0415  only a failure needs it

    return outdated(deployment) or error.diagnostics
