"""``anvil-gen client``: connect clients to a host."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.client import endpoints_json, show_endpoints, show_new_key
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.diagnostics import ExitCode
from anvil_gen.inventory.fields import NAME_LENGTH, SERVICE_PATTERN
from anvil_gen.inventory.fleet import find_inventory, stem_of
from anvil_gen.operate.deployment import mode_of, open_deployment
from anvil_gen.render.client_snippets import endpoints_of, kinds, text_for
from anvil_gen.text.masking import looks_secret
from anvil_gen.values import address

_PREFIX = "sk-"
"""By which a key is known as one: it is not shown where it is written by mistake."""


def _checked(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    """Refuse a name that no client can have."""
    if name is not None and not (re.fullmatch(SERVICE_PATTERN, name) and len(name) <= NAME_LENGTH):
        raise click.BadParameter("a name has letters, digits, `_`, `.`, `-`, and begins with a letter or digit")
    if name is not None and looks_secret(name):
        raise click.BadParameter("it looks like a key: name the client, and the key is made")
    return name


def _make_key(inventory: Path, client: str, *, as_json: bool) -> ExitCode:
    key = f"{_PREFIX}{secrets.token_urlsafe(32)}"
    line = f'{address(("api_key_sha256", client))} = "{sha256(key.encode()).hexdigest()}"'
    if as_json:
        print_json(host=stem_of(inventory), client=client, key=key, line=line)
    else:
        show_new_key(inventory, client, key, line)
    return ExitCode.OK


@click.command("client", cls=HostCommand)
@options.host
@click.argument("kind", required=False, shell_complete=options.completing("clients"))
@click.option("--new-key", metavar="NAME", callback=_checked, help="Make a key for the client NAME; write nothing.")
@options.mode
@options.as_json
def command(*, host: str, kind: str | None, new_key: str | None, mode: str | None, as_json: bool) -> ExitCode:
    """Show how clients connect to a host's models.

    Prints each base URL with its model names and the variable that holds the API key, and lists the available kinds
    of client. With KIND, prints a shell line, a program or a client configuration that is ready to paste. Reads the
    inventory only: nothing has to run.

    With --new-key, prints a random key, for the client alone, and the line of the inventory with the key's digest,
    which is no secret.

    \b
    Examples:
      anvil-gen client fakoli-dark
      anvil-gen client fakoli-dark curl | sh
      eval "$(anvil-gen client fakoli-dark env)"
      anvil-gen client lab-quad --new-key laptop
    """
    if new_key is not None and (kind or mode):
        raise click.UsageError("--new-key goes without KIND and --mode")
    if new_key is not None:
        return _make_key(find_inventory(host, Path.cwd()), new_key, as_json=as_json)
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
