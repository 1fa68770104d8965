"""A group of commands that imports only the one that runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from anvil_gen.diagnostics import did_you_mean


class LazyGroup(click.Group):
    """A group whose commands are modules of one package, each with its `command`."""

    def __init__(self, *args: Any, package: str, verbs: Sequence[str], **kwargs: Any) -> None:
        """Take the package, and its commands in the order of the help text."""
        super().__init__(*args, **kwargs)
        self._package = package
        self._verbs = tuple(verbs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self._verbs)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named.

        Raises:
            click.UsageError: there is none; one whose name is near is told.
        """
        near = did_you_mean(args[0], self._verbs) if args[0] not in self._verbs else ""
        if near:
            raise click.UsageError(f'no such command "{args[0]}": {near}', ctx)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None where there is none of that name."""
        if cmd_name not in self._verbs:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = import_module(f"{self._package}.{module}").command
        return command
