"""``anvil-gen down``: stop and remove containers, and never a volume."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.commands import parameters
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import open_deployment


@click.command("down")
@parameters.host
@parameters.tiers
@parameters.mode
def command(*, host: str, tiers: tuple[str, ...], mode: str | None) -> ExitCode:
    """Stop and remove a host's containers, or those of some tiers. Volumes and weights stay.

    \b
    Examples:
      anvil-gen down fakoli-dark         all of the project, whatever its mode
      anvil-gen down fakoli-dark fast    one tier: its card is free
    """
    deployment = open_deployment(host, Path.cwd())
    chosen = deployment.mode(mode)
    if tiers:
        # Other than `down`, this leaves the network that the others are on.
        arguments = ["rm", "--stop", "--force", *deployment.services(chosen, tiers)]
    else:
        arguments = ["down", "--remove-orphans"]
    code = deployment.project.show(*arguments, root_file=chosen.root_file)
    return ExitCode.OK if code == 0 else ExitCode.ERROR
