"""``anvil-gen doctor``: what a machine has, against what its inventory wants."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.views.doctor import show_doctor
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import open_deployment
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.run import run_checks


@click.command("doctor")
@options.host
@options.mode
@click.option("--probe", is_flag=True, help="Also start a container for each tier with cards, to see which it gets.")
@options.as_json
def command(*, host: str, mode: str | None, probe: bool, as_json: bool) -> ExitCode:
    """Check a machine against its inventory.

    Looks at Docker and Compose, the platform, the rendered files and their variables, model folders, volumes, images,
    room on the disk, container names, ports and cards. What is missing is told with the command that mends it. Changes
    nothing, and exits 1 where something fails.

    \b
    Examples:
      anvil-gen doctor fakoli-dark
      anvil-gen doctor fakoli-dark --probe      measure which cards each tier's container sees
      anvil-gen doctor lab-quad --mode coding   what another mode wants
    """
    deployment = open_deployment(host, Path.cwd())
    examination = run_checks(DoctorContext(deployment, deployment.mode(mode), with_slot=True), probe=probe)
    show_doctor(examination, as_json=as_json)
    return ExitCode.ERROR if examination.count("fail") else ExitCode.OK
