"""``anvil-gen schema``: the JSON Schemas of the inventory and of the template data files."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.catalog.json_schema import KINDS, schema_text
from anvil_gen.diagnostics import ExitCode


@click.command("schema", short_help="Print the JSON Schema of an inventory or a data file.")
@click.option(
    "--of",
    "kind",
    type=click.Choice(KINDS),
    default="inventory",
    show_default=True,
    help="The file that the schema describes: an inventory, a group, or a data file of templates/.",
)
@click.option("--write", metavar="FILE", help="Write the schema to FILE (default: standard output).")
@click.option("--check", metavar="FILE", help="Write nothing; exit 2 if FILE is not the schema of this version.")
def command(*, kind: str, write: str | None, check: str | None) -> ExitCode:
    """Print the JSON Schema of an inventory, a group or a template data file.

    Editors use it to complete and check them.

    \b
    Examples:
      anvil-gen schema --write inventory.schema.json
      #:schema inventory.schema.json             first line of an inventory, read by Taplo
      anvil-gen schema --of engine --write templates/engine.schema.json
    """
    if write is not None and check is not None:
        raise click.UsageError("--write and --check cannot be combined")
    text = schema_text(kind)
    if check is not None:
        path = Path(check)
        if path.is_file() and path.read_bytes().replace(b"\r\n", b"\n") == text.encode():
            click.echo(f"{check} is up to date")
            return ExitCode.OK
        of = "" if kind == "inventory" else f" --of {kind}"
        fix = f"anvil-gen schema{of} --write {check}"
        click.echo(f"{check} is not what this version generates; to fix it:\n\n    {fix}\n")
        return ExitCode.DIFFERS
    if write is not None:
        Path(write).write_text(text, encoding="utf-8", newline="\n")
        click.echo(f"wrote {write}")
    else:
        click.echo(text, nl=False)
    return ExitCode.OK
