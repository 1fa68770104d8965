"""The promotion of a trial to a tier: the diff of the inventory, and the next commands."""

from __future__ import annotations

from collections.abc import Iterator

import click

from anvil_gen.cli.views.changes import change_json, texts_of
from anvil_gen.cli.views.json_output import plain_toml, print_json
from anvil_gen.deploy.diff_text import diff_text
from anvil_gen.operate.experiment.promote import Promotion


def show_proposal(promotion: Promotion) -> None:
    """Print what would be written, and how the tier would differ from the trial."""
    click.echo(diff_text(promotion.change))
    if promotion.port_of:
        moved = f"port {promotion.trial_port} belongs to {promotion.port_of}: the tier gets port {promotion.tier.port}"
        click.echo(f"{moved}\n")
    differences = [text for text, _ in texts_of(promotion.differences)]
    if differences:
        click.echo("the tier differs from the trial:")
        for line in differences:
            click.echo(f"  {line}")
        click.echo()


def show_promoted(promotion: Promotion, *, as_json: bool) -> None:
    """Print the next commands, once the inventory is written."""
    if as_json:
        print_json(
            host=promotion.host,
            tier=promotion.tier.name,
            inventory=promotion.change.path,
            table=plain_toml(promotion.table),
            diff=diff_text(promotion.change),
            differences=[change_json(change) for change in promotion.differences],
            next=list(_next(promotion)),
        )
        return
    click.echo(f"wrote {promotion.change.path}; next:\n")
    for command in _next(promotion):
        click.echo(f"    {command}")
    if promotion.standby:
        click.echo(f'\nthen add it to a mode: tiers = ["{promotion.tier.name}", …] in [modes.NAME] of the inventory')


def _next(promotion: Promotion) -> Iterator[str]:
    yield promotion.render
    yield f"anvil-gen experiment down {promotion.host}"
    mode = " --mode NAME" if promotion.standby else ""
    yield f"anvil-gen up {promotion.host}{mode}{'' if promotion.standby else f' {promotion.tier.name}'}"
