"""A model that becomes a tier: the tier and why it is so, what it takes, what changes, the next commands."""

from __future__ import annotations

from collections.abc import Iterator

import click

from anvil_gen.cli.views.fit import host_json, show_host
from anvil_gen.cli.views.json_output import plain_toml, print_json
from anvil_gen.cli.views.plan import plan_json, show_text
from anvil_gen.deploy.diff_text import diff_text
from anvil_gen.diagnostics import printable
from anvil_gen.review.addition import Addition


def show_addition(addition: Addition) -> None:
    """Print what would be written."""
    click.echo(diff_text(addition.added.change))
    for note in addition.choice.notes:
        click.echo(printable(note))
    click.echo()
    show_host(addition.fit, as_json=False)
    click.echo()
    show_text([addition.plan])
    click.echo()


def show_added(addition: Addition, *, as_json: bool) -> None:
    """Print the next commands, once the inventory is written."""
    if as_json:
        print_json(
            host=addition.added.host.name,
            tier=addition.added.tier.name,
            inventory=addition.added.change.path,
            table=plain_toml(addition.added.table),
            notes=list(addition.choice.notes),
            diff=diff_text(addition.added.change),
            fit=host_json(addition.fit),
            plan=plan_json(addition.plan),
            next=list(_next(addition)),
        )
        return
    click.echo(f"wrote {addition.added.change.path}; next:\n")
    for command in _next(addition):
        click.echo(f"    {command}")
    if addition.added.table.get("standby"):
        name = addition.added.tier.name
        click.echo(f'\nthen add it to a mode: tiers = ["{name}", …] in [modes.NAME] of the inventory')


def _next(addition: Addition) -> Iterator[str]:
    host = addition.added.host
    yield host.command
    if "repo" in addition.added.table["model"]:
        yield f"anvil-gen fetch {host.name} {addition.added.tier.name}"
    standby = addition.added.table.get("standby")
    yield f"anvil-gen up {host.name}{' --mode NAME' if standby else f' {addition.added.tier.name}'}"
