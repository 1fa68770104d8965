"""``anvil-gen pin``: hold a host's images to digests and its models to commits."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.extras import require_extra
from anvil_gen.cli.views.pins import show_check, show_pins
from anvil_gen.deploy.pipeline import collect_all
from anvil_gen.diagnostics import ExitCode
from anvil_gen.pin.changes import check_pins
from anvil_gen.pin.hosts import open_hosts


@click.command("pin")
@options.hosts
@click.option("--all", "every", is_flag=True, help="Pin every host of the fleet.")
@click.option("--check", is_flag=True, help="Write nothing and ask nobody; exit 2 if locks and inventories differ.")
@click.option(
    "--update",
    "tiers",
    metavar="TIER",
    multiple=True,
    help="Pin anew what a tier runs, or a service of [services], `router` or `experiment`. May be repeated.",
)
@click.option("--update-all", is_flag=True, help="Pin everything anew.")
@options.as_json
def command(
    *, hosts: tuple[str, ...], every: bool, check: bool, tiers: tuple[str, ...], update_all: bool, as_json: bool
) -> ExitCode:
    """Hold images to digests and models to commits.

    Asks the registries of a host's images and the Hugging Face Hub what the inventory's tags and branches mean now, and
    keeps the answers in locks/, which `render` takes. What is held already stays as it is, unless it is to be updated;
    what the inventory no longer names goes. If anything is not answered, nothing is written.

    \b
    Examples:
      anvil-gen pin fakoli-dark                  pin what is not pinned yet
      anvil-gen pin fakoli-dark --update fast    pin anew what the tier runs
      anvil-gen pin --all --check                in CI: exit 2 if a lock lacks something
    """
    if check and (tiers or update_all):
        raise click.UsageError("--check and --update cannot be combined")
    if tiers and update_all:
        raise click.UsageError("--update and --update-all cannot be combined")
    found = open_hosts(hosts, every=every, here=Path.cwd())
    if check:
        differing = [(host, check_pins(host)) for host in found]
        show_check(differing, as_json=as_json)
        return ExitCode.DIFFERS if any(changes for _, changes in differing) else ExitCode.OK
    require_extra("pin")
    from anvil_gen.pin.pins import plan_pins, sources  # noqa: PLC0415  what asks the network
    from anvil_gen.pin.write_locks import write_locks  # noqa: PLC0415

    asked = sources()
    plans = collect_all(lambda host: plan_pins(host, asked, None if update_all else tiers), found)
    show_pins([(plan, write_locks(plan)) for plan in plans], as_json=as_json)
    return ExitCode.OK
