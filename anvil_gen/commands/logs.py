"""``anvil-gen logs``: what the containers print."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.commands import parameters
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import open_deployment


@click.command("logs")
@parameters.host
@parameters.tiers
@parameters.mode
@click.option("-f", "--follow", is_flag=True, help="Go on printing until interrupted.")
@click.option(
    "-n", "--tail", metavar="LINES", type=click.IntRange(min=0), help="Only the last lines of each container."
)
def command(*, host: str, tiers: tuple[str, ...], mode: str | None, follow: bool, tail: int | None) -> ExitCode:
    """Print the logs of a host's containers.

    \b
    Examples:
      anvil-gen logs fakoli-dark fast -f
    """
    deployment = open_deployment(host, Path.cwd())
    chosen = deployment.mode(mode)
    services = deployment.services(chosen, tiers) if tiers else []
    arguments = ["logs", *(("--follow",) if follow else ()), *((f"--tail={tail}",) if tail is not None else ())]
    code = deployment.project.show(*arguments, *services, root_file=chosen.root_file)
    return ExitCode.OK if code == 0 else ExitCode.ERROR
