"""Arguments and options that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def complete_host(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the hosts of this fleet that begin as typed, else files."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from anvil_gen.inventory.fleet import host_names  # noqa: PLC0415

    names = [CompletionItem(name) for name in host_names(Path.cwd()) if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


host = click.argument("host", shell_complete=complete_host)
tiers = click.argument("tiers", nargs=-1, metavar="[TIER]...")
mode = click.option("--mode", metavar="MODE", help='A mode of the inventory, or "default".')
follow = click.option("-f", "--follow", is_flag=True, help="Go on printing until interrupted.")
tail = click.option(
    "-n", "--tail", metavar="LINES", type=click.IntRange(min=0), help="Only the last lines of each container."
)


def say_waiting(host: str) -> None:
    """Say that another run has its turn."""
    click.echo(f"waiting: another run changes what runs on {host}", err=True)
