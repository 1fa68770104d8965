"""``anvil-gen import``: make an inventory of compose files, and prove that nothing changed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from anvil_gen.cli.views.import_result import show_result
from anvil_gen.deploy.pipeline import generator
from anvil_gen.diagnostics import ExitCode


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option("--name", metavar="HOST", help="Name of the host (default: the file's, or the project's).")
@click.option("--output", type=click.Path(dir_okay=False), help="File to write the inventory to (default: stdout).")
@click.option("--force", is_flag=True, help="Overwrite the file of --output.")
def command(*, files: tuple[str, ...], name: str | None, output: str | None, force: bool) -> ExitCode:
    """Make an inventory of compose files, and prove that nothing changed.

    FILE is a compose file; several are merged in their order, as Compose merges them; `-` is standard input. The
    inventory goes to standard output or to a file, all findings to standard error.

    Docker Compose reads the source and what the inventory renders to, once with the variables' defaults and once with
    another value for each. Exits 0 if it reads the same, 2 if anything differs (each difference is printed), and 3
    where no Docker Compose is at hand, so that nothing is proved.

    \b
    Examples:
      anvil-gen import docker-compose.yml                            print the inventory
      anvil-gen import docker-compose.yml --output hosts/box.toml    write it
      anvil-gen import a.yml b.yml                                   as docker compose -f a.yml -f b.yml
    """
    from anvil_gen.importing.run import import_files  # noqa: PLC0415

    if "-" in files and len(files) > 1:
        raise click.UsageError("standard input is a source of its own: name either - or files")
    if output is not None and Path(output).exists() and not force:
        raise click.UsageError(f"{output} is there already: name another file, or --force")
    text = sys.stdin.read() if files == ("-",) else None
    result = import_files(
        [] if text is not None else [Path(file) for file in files],
        generator(),
        text=text,
        name=name,
        output=None if output is None else Path(output),
    )
    if output is None:
        click.echo(result.imported.text, nl=False)
    else:
        _write(Path(output), result.imported.text)
    return show_result(result, output)


def _write(file: Path, text: str) -> None:
    from anvil_gen.deploy.atomic_write import write_file  # noqa: PLC0415

    write_file(file, file.read_bytes() if file.is_file() else None, text.encode())
