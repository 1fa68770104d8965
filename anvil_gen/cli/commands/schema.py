"""``anvil-gen schema``: print the JSON Schema of the inventory."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.diagnostics import ExitCode
from anvil_gen.inventory.json_schema import schema_text


@click.command("schema")
@click.option("--write", metavar="FILE", help="Write the schema to FILE (default: standard output).")
@click.option("--check", metavar="FILE", help="Write nothing; exit 2 if FILE is not the schema of this version.")
def command(*, write: str | None, check: str | None) -> ExitCode:
    """Print the JSON Schema of the inventory.

    Editors use it to complete and check inventories.

    \b
    Examples:
      anvil-gen schema --write inventory.schema.json
      #:schema inventory.schema.json             first line of an inventory, read by Taplo
    """
    if write is not None and check is not None:
        raise click.UsageError("--write and --check cannot be combined")
    text = schema_text()
    if check is not None:
        path = Path(check)
        if path.is_file() and path.read_bytes().replace(b"\r\n", b"\n") == text.encode():
            click.echo(f"{check} is up to date")
            return ExitCode.OK
        click.echo(f"{check} is not what this version generates; to fix it:\n\n    anvil-gen schema --write {check}\n")
        return ExitCode.DIFFERS
    if write is not None:
        Path(write).write_text(text, encoding="utf-8", newline="\n")
        click.echo(f"wrote {write}")
    else:
        click.echo(text, nl=False)
    return ExitCode.OK
