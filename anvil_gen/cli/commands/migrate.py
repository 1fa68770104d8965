"""``anvil-gen migrate``: inventories of older versions, in this version's format."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.deploy.atomic_write import replace_file
from anvil_gen.deploy.pipeline import collect_all
from anvil_gen.diagnostics import ExitCode
from anvil_gen.inventory.edit import with_present_keys
from anvil_gen.inventory.fleet import all_inventories, find_inventory, fleet_root
from anvil_gen.text_files import read_bytes


@click.command("migrate")
@options.hosts
def command(*, hosts: tuple[str, ...]) -> ExitCode:
    """Rename keys of inventories that older versions wrote.

    HOST is the path of an inventory, or the name of one in hosts/; without it, all of hosts/. Comments and everything
    else stay as they are.

    \b
    Examples:
      anvil-gen migrate                          every inventory in hosts/
      anvil-gen migrate fakoli-dark              one
    """
    here = Path.cwd()
    for path in collect_all(lambda host: find_inventory(host, here), hosts) if hosts else all_inventories(here):
        before = read_bytes(path, below=fleet_root(path)) if path.exists() else b""
        after = _migrated(before)
        if after != before:
            replace_file(path, before, after)
            click.echo(f"migrated {path.as_posix()}")
    return ExitCode.OK


def _migrated(content: bytes) -> bytes:
    """Return a file's content with the present keys; what is no text is as it was."""
    try:
        return with_present_keys(content.decode()).encode()
    except UnicodeDecodeError:
        return content
