"""``anvil-gen client``: connect clients to a host."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.client import endpoints_json, show_endpoints
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import mode_of, open_deployment
from anvil_gen.render.client_snippets import endpoints_of, kinds, text_for


@click.command("client", cls=HostCommand)
@options.host
@click.argument("kind", required=False, shell_complete=options.completing("clients"))
@options.mode
@options.as_json
def command(*, host: str, kind: str | None, mode: str | None, as_json: bool) -> ExitCode:
    """Show how clients connect to a host's models.

    Prints each base URL with its model names and the variable that holds the API key, and lists the available kinds
    of client. With KIND, prints a shell line, a program or a client configuration that is ready to paste. Reads the
    inventory only: nothing has to run.

    \b
    Examples:
      anvil-gen client fakoli-dark
      anvil-gen client fakoli-dark curl | sh
      eval "$(anvil-gen client fakoli-dark env)"
    """
    found = open_deployment(host, Path.cwd()).host
    chosen = mode_of(found.stack, mode)
    endpoints = endpoints_of(found.name, chosen, found.options.address)
    known = kinds(found.catalog)
    text = text_for(found.catalog, kind, found.name, endpoints) if kind is not None else None
    if as_json:
        endpoints_json(found.name, chosen.name, endpoints, known, **({"text": text} if text is not None else {}))
    elif text is not None:
        click.echo(text, nl=False)
    else:
        show_endpoints(found.name, chosen.name, endpoints, known)
    return ExitCode.OK
