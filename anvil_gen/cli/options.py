"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


_Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def completing(name: str) -> _Complete:
    """Return a completion of `anvil_gen.cli.completion`, which only a shell that completes needs."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: list[CompletionItem] = getattr(import_module("anvil_gen.cli.completion"), name)(
            context, parameter, incomplete
        )
        return found

    return complete


untrusted = click.option(
    "--untrusted",
    is_flag=True,
    help="Refuse own templates, and read no file outside the repository: for changes that nobody has reviewed.",
)
host = click.argument("host", metavar="[HOST]", shell_complete=completing("hosts"))
hosts = click.argument("hosts", nargs=-1, metavar="[HOST]...", shell_complete=completing("hosts"))
tiers = click.argument("tiers", nargs=-1, metavar="[TIER]...", shell_complete=completing("tiers"))
mode = click.option(
    "--mode",
    metavar="MODE",
    help='Mode of the inventory, or "default" for the default mode.',
    shell_complete=completing("modes"),
)
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
