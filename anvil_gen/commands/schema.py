"""``anvil-gen schema``: the JSON Schema of the inventory."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.diagnostics import ExitCode
from anvil_gen.schema import schema_text


def run(*, write: str | None, check: str | None) -> ExitCode:
    """Print the schema, write it to a file, or compare it with one."""
    text = schema_text()
    if check is not None:
        path = Path(check)
        if path.is_file() and path.read_bytes().replace(b"\r\n", b"\n") == text.encode():
            click.echo(f"{check} is up to date")
            return ExitCode.OK
        click.echo(f"{check} is not what this version generates; to mend it:\n\n    anvil-gen schema --write {check}\n")
        return ExitCode.DIFFERS
    if write is not None:
        Path(write).write_text(text, encoding="utf-8", newline="\n")
        click.echo(f"wrote {write}")
    else:
        click.echo(text, nl=False)
    return ExitCode.OK
