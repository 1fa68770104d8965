"""What a shell completes: names of the inventory that the words before it are about. A broken one completes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.fleet import host_names, only_host

if TYPE_CHECKING:
    from anvil_gen.operate.deployment import Deployment


def hosts(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the hosts of the fleet, else files; where it has one, also what may follow it."""
    here = Path.cwd()
    names = _starting(host_names(here), incomplete)
    if only_host(here):
        after = [one for one in context.command.params if isinstance(one, click.Argument)]
        for following in after[after.index(parameter) + 1 :][:1] if parameter in after else ():
            names += following.shell_complete(context, incomplete)
    return names or [CompletionItem(incomplete, type="file")]


def tiers(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the tiers and further services of the host, and its router, without those that are there already."""
    from anvil_gen.operate.deployment import services_of  # noqa: PLC0415  only this needs it

    try:
        stack = _deployment(context).stack
    except DiagnosticError:
        return []
    names = dict.fromkeys(name for mode in stack.modes for name in services_of(stack, mode))
    return _starting(names.keys() - {*(context.params.get("tiers") or ())}, incomplete)


def modes(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the modes of the host."""
    try:
        found = _deployment(context).stack.modes
    except DiagnosticError:
        return []
    return _starting((mode.title for mode in found), incomplete)


def gpus(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the GPUs of the host."""
    try:
        found = _deployment(context).stack.gpus
    except DiagnosticError:
        return []
    return _starting((gpu.name for gpu in found), incomplete)


def clients(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the kinds of client that there are snippets for."""
    from anvil_gen.render.client_snippets import kinds  # noqa: PLC0415  only this needs it

    try:
        return _starting(kinds(_deployment(context).host.catalog), incomplete)
    except DiagnosticError:
        return []


def _deployment(context: click.Context) -> Deployment:
    """Return the host that is named, or the fleet's only one.

    Raises:
        DiagnosticError: there is none, or its inventory has errors.
    """
    from anvil_gen.operate.deployment import open_deployment  # noqa: PLC0415  only this needs it

    here, named = Path.cwd(), context.params.get("host")
    return open_deployment(named or "".join(only_host(here)), here)


def _starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]
