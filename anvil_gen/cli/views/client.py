"""How clients reach a host's models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from anvil_gen.cli.views.json_output import print_json
from anvil_gen.diagnostics import display_path
from anvil_gen.inventory.fleet import stem_of
from anvil_gen.render.client_snippets import Endpoint
from anvil_gen.resolve.root_files import DEFAULT_MODE


def show_endpoints(host: str, mode: str, endpoints: Sequence[Endpoint], kinds: Iterable[str]) -> None:
    """Print each base URL with its model names, and the kinds of clients that text can be printed for."""
    for endpoint in endpoints:
        click.echo(f"{endpoint.base_url}  {_key(endpoint)}")
        width = max(len(model.name) for model in endpoint.models)
        for model in endpoint.models:
            click.echo(f"  {model.name:{width}}  {model.task}, {model.answering}")
    if any(endpoint.open for endpoint in endpoints):
        click.echo(
            "\nother hosts reach it at this host's address; `address` in [host] says which, and is shown here then"
        )
    flag = f" --mode {mode}" if mode else ""
    click.echo("\nready to paste:\n")
    for kind in kinds:
        click.echo(f"    anvil-gen client {host} {kind}{flag}")


def _key(endpoint: Endpoint) -> str:
    if endpoint.key is None:
        return "no key"
    return f"{'each client has its own key' if endpoint.by_digest else 'the key is'} in ${endpoint.key}"


def show_new_key(inventory: Path, client: str, key: str, line: str) -> None:
    """Print a key that nothing keeps, and what makes a router know it."""
    host = stem_of(inventory)
    click.echo(f"the key of {client}, which is not shown again:\n\n    {key}\n")
    click.echo(f"in [router] of {display_path(inventory)}, replacing an earlier line of {client}:\n\n    {line}\n")
    click.echo(f"then: anvil-gen render {host} && anvil-gen up {host}")


def endpoints_json(host: str, mode: str, endpoints: Sequence[Endpoint], kinds: Iterable[str], **more: Any) -> None:
    """Print the same as JSON."""
    print_json(
        host=host,
        mode=mode or DEFAULT_MODE,
        endpoints=[
            {
                "base_url": endpoint.base_url,
                "key_env": endpoint.key,
                "models": [{"name": one.name, "tier": one.tier, "task": one.task} for one in endpoint.models],
            }
            for endpoint in endpoints
        ],
        kinds=list(kinds),
        **more,
    )
