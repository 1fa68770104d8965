"""The command line: its commands, and how each run ends. A command is a module of `anvil_gen.cli.commands`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

import click

from anvil_gen import __version__
from anvil_gen.cli.lazy_group import LazyGroup
from anvil_gen.cli.visible_output import make_output_visible
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode, InternalError, Location

VERBS = (
    "init",
    "add",
    "import",
    "render",
    "plan",
    "explain",
    "pin",
    "outdated",
    "up",
    "down",
    "restart",
    "status",
    "show",
    "bench",
    "logs",
    "doctor",
    "experiment",
    "client",
    "fit",
    "fetch",
    "flags",
    "migrate",
    "schema",
)
"""The commands, in the order of the help text; each is a module with its `command`."""

_COMPLETION = 'eval "$(_ANVIL_GEN_COMPLETE=bash_source anvil-gen)"'


@click.group(
    cls=LazyGroup,
    package="anvil_gen.cli.commands",
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"\b\nShell completion (zsh_source and fish_source for those shells):\n  {_COMPLETION}",
)
@click.version_option(__version__, prog_name="anvil-gen")
def cli() -> None:
    """Render the facts of GPU hosts, kept once in hosts/*.toml, into Docker Compose files, and run them.

    \b
    Examples:
      anvil-gen render hosts/fakoli-dark.toml    write the Compose files of one host
      git diff                                   review what changed
      anvil-gen up fakoli-dark fast              start the tier: docker compose up -d fast
      anvil-gen status fakoli-dark               show what runs and what differs
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and end the process.

    It ends without tearing its modules down, which would take longer than some of what they did.
    """
    _open_closed_streams()
    make_output_visible()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = _run(words)
    except click.Abort:
        click.echo("interrupted", err=True)
        code = ExitCode.INTERRUPTED
    except OSError as error:  # of the output itself
        click.echo(f"error: cannot write the output: {error.strerror}", err=True)
        code = ExitCode.ERROR
    _end(int(code or 0))


def _open_closed_streams() -> None:
    """Open the null device for streams that were closed (``>&-``), also for the commands that inherit them.

    Otherwise the next file that is opened would get such a stream's descriptor, and what is printed.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115  stays open to the end


def _run(words: list[str]) -> int:
    options = words[: words.index("--")] if "--" in words else words
    as_json = "--json" in options or "--format=json" in options or ("--format", "json") in pairwise(options)
    color = False if os.environ.get("NO_COLOR") else None  # None: as the terminal takes it
    with click.Context(cli, color=color):  # of what is printed after a command's own has ended, too
        return _run_command(words, color, as_json=as_json)


def _run_command(words: list[str], color: bool | None, *, as_json: bool) -> int:
    try:
        code: int = cli.main(args=words, standalone_mode=False, color=color)
    except click.ClickException as error:
        if not as_json:
            error.show()
            return ExitCode.ERROR
        return _fail([Diagnostic(code="usage-error", detail=error.format_message())], as_json=True)
    except DiagnosticError as error:
        return _fail(error.diagnostics, as_json=as_json)
    except InternalError as error:
        diagnostic = Diagnostic(code="internal-error", detail=str(error), remedy="please report it")
        return _fail([diagnostic], as_json=as_json)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader has gone, as `| head` does
            raise
        what = (error.strerror or str(error)).lower()
        location = Location(file=str(error.filename)) if error.filename else None
        return _fail([Diagnostic(code="cannot-read-or-write", detail=what, location=location)], as_json=as_json)
    return code


def _fail(diagnostics: Sequence[Diagnostic], *, as_json: bool) -> ExitCode:
    from anvil_gen.cli.views.diagnostics import show_diagnostics  # noqa: PLC0415

    show_diagnostics(diagnostics, as_json=as_json)
    return ExitCode.ERROR


def _end(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the reader has gone, as `| head` does
        code = code or ExitCode.ERROR
    os._exit(code)
