"""Commands of one host, which need not be named where the fleet has just one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.inventory.fleet import host_names, names_inventory, only_host


class HostCommand(click.Command):
    """A command whose first argument is the host; without it, the fleet's only one is meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with the host that is meant in front where none is named."""
        if ctx.resilient_parsing:  # while a shell completes words, some are still to come
            return super().parse_args(ctx, args)
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        first, here = given.get("host"), Path.cwd()
        has_further = len([one for one in self.params if isinstance(one, click.Argument)]) > 1
        if not isinstance(first, str):
            args = [*_only_host(here, ctx), *args] if not (_asks_for_help(given) or given.get("every")) else args
        elif has_further and not _names_host(first, here):
            args = [*only_host(here), *args]
        return super().parse_args(ctx, args)


def _asks_for_help(given: dict[str, Any]) -> bool:
    return given.get("help") is True


def _only_host(here: Path, context: click.Context) -> list[str]:
    found, names = only_host(here), host_names(here)
    if not found:
        known = f": hosts/ has {join_words(names)}" if names else ", or the path of its .toml file"
        raise click.UsageError(f"name a HOST{known}", context)
    return found


def _names_host(word: str, here: Path) -> bool:
    """Tell whether a word is meant as a host, be it misspelt."""
    return names_inventory(word, here) or did_you_mean(word, host_names(here)) != ""
