"""``anvil-gen logs``: print the logs of containers."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import delegate, open_deployment


@click.command("logs", cls=HostCommand)
@options.host
@options.tiers
@options.mode
@options.follow
@options.tail
def command(*, host: str, tiers: tuple[str, ...], mode: str | None, follow: bool, tail: int | None) -> ExitCode:
    """Print the logs of a host's containers.

    \b
    Examples:
      anvil-gen logs fakoli-dark fast -f
    """
    arguments = ["logs", *(("--follow",) if follow else ()), *((f"--tail={tail}",) if tail is not None else ())]
    code = delegate(open_deployment(host, Path.cwd()), arguments, tiers, mode)
    return ExitCode.of_command(code)
