"""``anvil-gen experiment promote``: the trial becomes a tier of the inventory."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.views.promote import show_promoted, show_proposal
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.operate.experiment.promote import promotion_of
from anvil_gen.operate.experiment.slot import open_slot


@click.command("promote")
@options.host
@click.argument("tier")
@click.option(
    "--standby", is_flag=True, help="Keep the tier out of the default mode: its card is another tier's there."
)
@click.option("--yes", is_flag=True, help="Write without asking.")
@options.as_json
def command(*, host: str, tier: str, standby: bool, yes: bool, as_json: bool) -> ExitCode:
    """Make the trial that runs a tier of the inventory.

    It gets the name TIER. Flags that a field says become fields. The diff is shown, and written once you agree;
    everything else in the file stays as it is, comments and line ends too. Nothing is rendered or started.

    \b
    Examples:
      anvil-gen experiment promote fakoli-dark coder
      anvil-gen experiment promote fakoli-dark coder --standby --yes
    """
    slot = open_slot(host, Path.cwd())
    promotion = promotion_of(slot, tier, standby=standby)
    if not yes:
        _refuse_unasked(as_json=as_json)
    if not as_json:
        show_proposal(promotion)
    if not yes and not click.confirm(f"write this to {promotion.change.path}?", err=True):
        click.echo("nothing was written", err=True)
        return ExitCode.ERROR
    promotion.write()
    show_promoted(promotion, as_json=as_json)
    return ExitCode.OK


def _refuse_unasked(*, as_json: bool) -> None:
    """Refuse to write where nobody can be asked.

    Raises:
        DiagnosticError: there is no terminal, or the answer is for a program.
    """
    if as_json or not sys.stdin.isatty():
        detail = "--json asks nothing" if as_json else "there is no terminal to ask on"
        remedy = "say yes beforehand, with --yes"
        raise DiagnosticError([Diagnostic(summary="not confirmed", detail=detail, remedy=remedy)])
