"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def complete_host(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the hosts of this fleet that start with what was typed, else files."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from anvil_gen.inventory.fleet import host_names  # noqa: PLC0415

    names = [CompletionItem(name) for name in host_names(Path.cwd()) if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


untrusted = click.option(
    "--untrusted",
    is_flag=True,
    help="Refuse own templates, and read no file outside the repository: for changes that nobody has reviewed.",
)
host = click.argument("host", shell_complete=complete_host)
tiers = click.argument("tiers", nargs=-1, metavar="[TIER]...")
mode = click.option("--mode", metavar="MODE", help='Mode of the inventory, or "default" for the default mode.')
follow = click.option("-f", "--follow", is_flag=True, help="Follow log output.")
tail = click.option(
    "-n",
    "--tail",
    metavar="LINES",
    type=click.IntRange(min=0),
    help="Number of lines to print from the end of each log (default: all).",
)


def report_waiting(host: str) -> None:
    """Report that the command waits for another run."""
    click.echo(f"waiting: another anvil-gen run is changing {host}", err=True)
