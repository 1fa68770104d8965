"""``anvil-gen experiment promote``: add the trial to the inventory as a tier."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.confirm import refuse_without_prompt
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.promote import show_promoted, show_proposal
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.experiment.promote import promotion_of
from anvil_gen.operate.experiment.slot import open_slot


@click.command("promote", cls=HostCommand)
@options.host
@click.argument("tier")
@click.option(
    "--standby", is_flag=True, help="Leave the tier out of the default mode, where another tier uses its GPU."
)
@click.option("--yes", is_flag=True, help="Write without asking for confirmation.")
@options.as_json
def command(*, host: str, tier: str, standby: bool, yes: bool, as_json: bool) -> ExitCode:
    """Add the running trial to the inventory as a tier.

    The new tier is named TIER. Engine flags that have a field in the inventory are written as that field. Shows the
    diff, and writes it once you confirm; the rest of the file is kept as it is, including comments and line endings.
    Renders and starts nothing.

    \b
    Examples:
      anvil-gen experiment promote fakoli-dark coder
      anvil-gen experiment promote fakoli-dark coder --standby --yes
    """
    slot = open_slot(host, Path.cwd())
    promotion = promotion_of(slot, tier, standby=standby)
    if not yes:
        refuse_without_prompt(as_json=as_json)
    if not as_json:
        show_proposal(promotion)
    if not yes and not click.confirm(f"write this to {promotion.change.path}?", err=True):
        click.echo("nothing was written", err=True)
        return ExitCode.ERROR
    promotion.write()
    show_promoted(promotion, as_json=as_json)
    return ExitCode.OK
