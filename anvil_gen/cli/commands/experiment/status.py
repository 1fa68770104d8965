"""``anvil-gen experiment status``: show what is in the slot."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.experiment import show_trial
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.experiment.slot import open_slot
from anvil_gen.operate.experiment.trial import status_of_trial


@click.command("status", cls=HostCommand)
@options.host
@options.as_json
def command(*, host: str, as_json: bool) -> ExitCode:
    """Show a host's trial and its drift.

    Exits 2 if the trial differs from the slot's file.

    \b
    Examples:
      anvil-gen experiment status fakoli-dark
    """
    status = status_of_trial(open_slot(host, Path.cwd()))
    show_trial(status, as_json=as_json)
    return ExitCode.DIFFERS if status.drifts else ExitCode.OK
