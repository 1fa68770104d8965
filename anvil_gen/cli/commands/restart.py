"""``anvil-gen restart``: restart the same containers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import delegate, open_deployment


@click.command("restart", cls=HostCommand)
@options.host
@options.tiers
@options.mode
def command(*, host: str, tiers: tuple[str, ...], mode: str | None) -> ExitCode:
    """Restart a host's containers without changing them.

    Changes in the files take effect with `up`, not with `restart`.

    \b
    Examples:
      anvil-gen restart fakoli-dark fast
    """
    on_wait = partial(options.report_waiting, host)
    code = delegate(open_deployment(host, Path.cwd()), ["restart"], tiers, mode, on_wait=on_wait)
    return ExitCode.of_command(code)
