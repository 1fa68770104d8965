"""``anvil-gen doctor``: check a host against its inventory."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.doctor import show_doctor
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import open_deployment
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.run import run_checks


@click.command("doctor", cls=HostCommand)
@options.host
@options.mode
@click.option(
    "--probe", is_flag=True, help="Also start a container for each tier with GPUs, to measure which GPUs it sees."
)
@options.as_json
def command(*, host: str, mode: str | None, probe: bool, as_json: bool) -> ExitCode:
    """Check that a host can run what its inventory describes.

    Checks Docker and Compose, the platform, the rendered files and their variables, model folders, volumes, images,
    disk space, container names, ports and GPUs. Reports each problem with the command that fixes it. Makes no changes;
    exits 1 if a check fails.

    \b
    Examples:
      anvil-gen doctor fakoli-dark
      anvil-gen doctor fakoli-dark --probe      also measure which GPUs each tier's container sees
      anvil-gen doctor lab-quad --mode coding   check what another mode needs
    """
    deployment = open_deployment(host, Path.cwd())
    result = run_checks(DoctorContext(deployment, deployment.mode(mode), with_slot=True), probe=probe)
    show_doctor(result, as_json=as_json)
    return ExitCode.ERROR if result.count("fail") else ExitCode.OK
