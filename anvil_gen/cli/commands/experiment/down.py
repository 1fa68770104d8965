"""``anvil-gen experiment down``: empty the slot."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.experiment.slot import open_slot
from anvil_gen.operate.experiment.trial import delegate


@click.command("down", cls=HostCommand)
@options.host
def command(*, host: str) -> ExitCode:
    """Stop and remove a host's trial.

    Volumes and weights are kept.

    \b
    Examples:
      anvil-gen experiment down fakoli-dark
    """
    code = delegate(open_slot(host, Path.cwd()), ["down"])
    return ExitCode.OK if code == 0 else ExitCode.ERROR
