"""``anvil-gen explain``: show where a value comes from."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.explain import show_explanation
from anvil_gen.deploy.pipeline import generator
from anvil_gen.diagnostics import ExitCode
from anvil_gen.inventory.fleet import find_inventory
from anvil_gen.review.explain import Explainer


@click.command("explain", cls=HostCommand)
@options.host
@click.argument("address")
@options.as_json
def command(*, host: str, address: str, as_json: bool) -> ExitCode:
    """Show where a value comes from, line by line.

    That is a line of the inventory, a default, a line of the data of an engine or router, a lock, or another host; and
    the line of the template.

    ADDRESS is a value of a rendered file, by its keys or its line, or an option of the inventory. Of an option, what
    follows from it is listed too. Nothing is read but the inventory and what it is rendered by.

    \b
    Examples:
      anvil-gen explain fakoli-dark 'tiers/fast.yml:services.fast.command[3]'
      anvil-gen explain fakoli-dark tiers/fast.yml:19           the value at a line
      anvil-gen explain fakoli-dark fast.context_length         an option of a tier
      anvil-gen explain fakoli-dark router.port
    """
    made = generator()
    plan = made.render(find_inventory(host, Path.cwd()))
    show_explanation(Explainer(plan, made).explain(address), as_json=as_json)
    return ExitCode.OK
