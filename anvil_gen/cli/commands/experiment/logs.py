"""``anvil-gen experiment logs``: print the log of the trial."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.experiment.slot import open_slot
from anvil_gen.operate.experiment.trial import delegate


@click.command("logs", cls=HostCommand)
@options.host
@options.follow
@options.tail
def command(*, host: str, follow: bool, tail: int | None) -> ExitCode:
    """Print the log of a host's trial.

    \b
    Examples:
      anvil-gen experiment logs fakoli-dark -f
    """
    arguments = ["logs", *(("--follow",) if follow else ()), *((f"--tail={tail}",) if tail is not None else ())]
    code = delegate(open_slot(host, Path.cwd()), arguments, needs_trial=True)
    return ExitCode.OK if code == 0 else ExitCode.ERROR
