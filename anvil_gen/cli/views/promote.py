"""A trial that becomes a tier: the diff of the inventory, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from anvil_gen.cli.views.changes import change_json, reasons
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.deploy.diff_text import diff_text
from anvil_gen.operate.experiment.promote import Promotion
from anvil_gen.values import Number


def show_proposal(promotion: Promotion) -> None:
    """Print what would be written, and in what the tier would not be the trial."""
    click.echo(diff_text(promotion.change))
    if promotion.port_of:
        moved = f"port {promotion.trial_port} is that of {promotion.port_of}: the tier gets {promotion.tier.port}"
        click.echo(f"{moved}\n")
    told = list(reasons(promotion.differences))
    if told:
        click.echo("the tier differs from the trial:")
        for line in told:
            click.echo(f"  {line}")
        click.echo()


def show_promoted(promotion: Promotion, *, as_json: bool) -> None:
    """Print what comes next, once the inventory is written."""
    if as_json:
        print_json(
            host=promotion.host,
            tier=promotion.tier.name,
            inventory=promotion.change.path,
            table=_plain(promotion.table),
            diff=diff_text(promotion.change),
            differences=[change_json(change) for change in promotion.differences],
            next=list(_next(promotion)),
        )
        return
    click.echo(f"wrote {promotion.change.path}; next:\n")
    for command in _next(promotion):
        click.echo(f"    {command}")
    if promotion.standby:
        click.echo(f'\nand a mode that has it: tiers = ["{promotion.tier.name}", …] in [modes.NAME] of the inventory')


def _next(promotion: Promotion) -> Iterator[str]:
    yield promotion.render
    yield f"anvil-gen experiment down {promotion.host}"
    mode = " --mode NAME" if promotion.standby else ""
    yield f"anvil-gen up {promotion.host}{mode}{'' if promotion.standby else f' {promotion.tier.name}'}"


def _plain(value: Any) -> Any:
    """Return a TOML value as JSON has it."""
    if isinstance(value, Number):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
