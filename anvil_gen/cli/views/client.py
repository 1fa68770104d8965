"""How clients reach a host's models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from anvil_gen.cli.views.json_output import print_json
from anvil_gen.render.client_snippets import Endpoint
from anvil_gen.resolve.root_files import DEFAULT_MODE


def show_endpoints(host: str, mode: str, endpoints: Sequence[Endpoint], kinds: Iterable[str]) -> None:
    """Print each base URL with its model names, and the kinds of clients that text can be printed for."""
    for endpoint in endpoints:
        key = f"the key is in ${endpoint.key}" if endpoint.key is not None else "no key"
        click.echo(f"{endpoint.base_url}  {key}")
        width = max(len(model.name) for model in endpoint.models)
        for model in endpoint.models:
            click.echo(f"  {model.name:{width}}  {model.task}, tier {model.tier}")
    if any(endpoint.open for endpoint in endpoints):
        click.echo(
            "\nother hosts reach it at this host's address; `address` in [host] says which, and is shown here then"
        )
    flag = f" --mode {mode}" if mode else ""
    click.echo("\nready to paste:\n")
    for kind in kinds:
        click.echo(f"    anvil-gen client {host} {kind}{flag}")


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
