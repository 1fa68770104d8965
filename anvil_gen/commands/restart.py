"""``anvil-gen restart``: the same containers once more."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.commands import parameters
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import open_deployment


@click.command("restart")
@parameters.host
@parameters.tiers
@parameters.mode
def command(*, host: str, tiers: tuple[str, ...], mode: str | None) -> ExitCode:
    """Restart a host's containers as they are. What changed in the files is taken over by `up`, not by this.

    \b
    Examples:
      anvil-gen restart fakoli-dark fast
    """
    deployment = open_deployment(host, Path.cwd())
    chosen = deployment.mode(mode)
    services = deployment.services(chosen, tiers) if tiers else []
    code = deployment.project.show("restart", *services, root_file=chosen.root_file)
    return ExitCode.OK if code == 0 else ExitCode.ERROR
