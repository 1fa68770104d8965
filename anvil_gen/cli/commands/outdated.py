"""``anvil-gen outdated``: what has moved or is newer than what a host is held to."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.extras import require_extra
from anvil_gen.deploy.pipeline import collect_all
from anvil_gen.diagnostics import ExitCode
from anvil_gen.pin.hosts import open_hosts


@click.command("outdated")
@options.hosts
@click.option("--all", "every", is_flag=True, help="Ask for every host of the fleet.")
@options.as_json
def command(*, hosts: tuple[str, ...], every: bool, as_json: bool) -> ExitCode:
    """Show what has moved, and newer releases.

    Asks registries and the Hugging Face Hub. For a newer release of an image in the same line of tags, also shows what
    of the inventory it would break. Writes nothing; exits 2 if something is not as it is held.

    \b
    Examples:
      anvil-gen outdated fakoli-dark
      anvil-gen outdated --all --json
    """
    found = open_hosts(hosts, every=every, here=Path.cwd())
    require_extra("pin")
    from anvil_gen.cli.views.outdated import show_outdated  # noqa: PLC0415  what asks the network
    from anvil_gen.pin.outdated import outdated  # noqa: PLC0415
    from anvil_gen.pin.pins import sources  # noqa: PLC0415

    asked = sources()
    rows = collect_all(lambda host: (host, outdated(host, asked)), found)
    show_outdated(rows, as_json=as_json)
    return ExitCode.OK if all(one.is_current for _, several in rows for one in several) else ExitCode.DIFFERS
