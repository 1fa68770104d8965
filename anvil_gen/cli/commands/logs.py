"""``anvil-gen logs``: print the logs of containers."""

from __future__ import annotations

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.target_verbs import units_of
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import delegate


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
    deployment, units = units_of(host)
    if units is not None:
        return ExitCode.of_command(units.logs(tiers, mode, follow=follow, tail=tail))
    arguments = ["logs", *(("--follow",) if follow else ()), *((f"--tail={tail}",) if tail is not None else ())]
    code = delegate(deployment, arguments, tiers, mode)
    return ExitCode.of_command(code)
