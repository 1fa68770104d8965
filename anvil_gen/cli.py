"""The command line: options in, exit codes out. What a verb does stands in `anvil_gen.commands`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from anvil_gen import __version__
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode, InternalError, Location

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMPLETION = 'eval "$(_ANVIL_GEN_COMPLETE=bash_source anvil-gen)"'


def _complete_host(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from anvil_gen.fleet import host_names  # noqa: PLC0415

    names = [CompletionItem(name) for name in host_names(Path.cwd()) if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"\b\nShell completion (zsh_source and fish_source for those shells):\n  {_COMPLETION}",
)
@click.version_option(__version__, prog_name="anvil-gen")
def cli() -> None:
    """Render the facts of GPU boxes, kept once in hosts/*.toml, into Docker Compose files.

    \b
    Examples:
      anvil-gen render hosts/fakoli-dark.toml    write the compose files of one machine
      git diff                                   review what changed
      docker compose up -d fast                  in the rendered folder: run it
    """


@cli.command()
@click.argument("hosts", nargs=-1, metavar="[HOST]...", shell_complete=_complete_host)
@click.option("--all", "every", is_flag=True, help="Render every inventory in hosts/.")
@click.option("--check", is_flag=True, help="Write nothing; exit 2 with a diff where the files on disk differ.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Write nothing; print the files.")
@click.option(
    "--output", metavar="DIR", type=click.Path(), help="Render into DIR, not the inventory's own output folder."
)
@click.option("--force", is_flag=True, help="Overwrite files that were changed by hand.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def render(
    *,
    hosts: tuple[str, ...],
    every: bool,
    check: bool,
    to_stdout: bool,
    output: str | None,
    force: bool,
    as_json: bool,
) -> ExitCode:
    """Render inventories into deploy trees.

    HOST is the path of an inventory, or the name of one in hosts/. Every inventory is read and every file proven
    before the first one is written: with an error in any of them, nothing changes.

    \b
    Examples:
      anvil-gen render hosts/fakoli-dark.toml    by path
      anvil-gen render fakoli-dark               by name
      anvil-gen render --all --check             in CI: exits 2 with a diff where a tree is stale
      anvil-gen render fakoli-dark --stdout      only look
    """
    if every == bool(hosts):
        raise click.UsageError("name at least one HOST, or --all" if not hosts else "name a HOST or --all, not both")
    if output is not None and (every or len(hosts) > 1):
        raise click.UsageError("--output takes one host: each host has a folder of its own")
    if check and to_stdout:
        raise click.UsageError("--check compares and --stdout prints: choose one")
    if as_json and to_stdout:
        raise click.UsageError("--stdout prints the files themselves: it takes no --json")
    from anvil_gen.commands import render as command  # noqa: PLC0415  only the verb that runs is imported

    return _run(
        lambda: command.run(
            hosts, every=every, check=check, to_stdout=to_stdout, output=output, force=force, as_json=as_json
        ),
        as_json=as_json,
    )


@cli.command()
@click.option("--write", metavar="FILE", help="Write the schema to FILE.")
@click.option("--check", metavar="FILE", help="Exit 2 where FILE is not the schema of this version.")
def schema(*, write: str | None, check: str | None) -> ExitCode:
    """Print the JSON Schema of the inventory, for editors.

    \b
    Examples:
      anvil-gen schema --write inventory.schema.json
      #:schema inventory.schema.json             as the first line of an inventory (Taplo reads it)
    """
    if write is not None and check is not None:
        raise click.UsageError("--write and --check: choose one")
    from anvil_gen.commands import schema as command  # noqa: PLC0415

    return _run(lambda: command.run(write=write, check=check), as_json=False)


def _run(command: Callable[[], ExitCode], *, as_json: bool) -> ExitCode:
    try:
        return command()
    except DiagnosticError as error:
        return _fail(error.diagnostics, as_json=as_json)
    except InternalError as error:
        fault = Diagnostic(summary="internal error", detail=str(error), remedy="please report it")
        return _fail([fault], as_json=as_json)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader has gone, as `| head` does: click ends quietly
            raise
        what = (error.strerror or str(error)).lower()
        location = Location(file=str(error.filename)) if error.filename else None
        return _fail([Diagnostic(summary="cannot read or write", detail=what, location=location)], as_json=as_json)


def _fail(diagnostics: Sequence[Diagnostic], *, as_json: bool) -> ExitCode:
    from anvil_gen.views import JsonView, TextView  # noqa: PLC0415

    (JsonView() if as_json else TextView()).faults(diagnostics)
    return ExitCode.ERROR


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and end the process.

    It ends without tearing its modules down, which would take longer than some of what they did.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        color = False if os.environ.get("NO_COLOR") else None  # None: as the terminal takes it
        code = cli.main(args=words, standalone_mode=False, color=color)
    except click.ClickException as error:
        if "--json" in words:
            code = _fail([Diagnostic(summary="usage error", detail=error.format_message())], as_json=True)
        else:
            error.show()
            code = ExitCode.ERROR
    except click.Abort:
        click.echo("interrupted", err=True)
        code = 130
    except OSError as error:
        click.echo(f"error: cannot write the answer: {error.strerror}", err=True)
        code = ExitCode.ERROR
    _end(int(code or 0))


def _end(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the reader has gone, as `| head` does
        code = code or ExitCode.ERROR
    os._exit(code)
