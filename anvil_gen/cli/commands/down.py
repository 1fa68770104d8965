"""``anvil-gen down``: stop and remove containers, never a volume."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.group_verbs import Tell, down_group, group_ranks
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.target_verbs import units_of
from anvil_gen.diagnostics import ExitCode
from anvil_gen.operate.deployment import delegate


@click.command("down", cls=HostCommand, short_help="Stop and remove the containers of a host or a group.")
@options.host
@options.tiers
@options.mode
@options.as_json
def command(*, host: str, tiers: tuple[str, ...], mode: str | None, as_json: bool) -> ExitCode:
    """Stop and remove a host's containers, or a group's on all of its hosts.

    Removes the containers of the named tiers, or all of the host's. Volumes and weights are kept.

    \b
    Examples:
      anvil-gen down fakoli-dark         the whole project, in any mode
      anvil-gen down fakoli-dark fast    one tier; frees its GPU
      anvil-gen down sparks              a group, on each of its hosts
    """
    ranks = group_ranks(host, Path.cwd())
    if not ranks:
        return _down(host, tiers, mode, as_json=as_json)
    if tiers or mode is not None:
        raise click.UsageError("a group has one tier, and no mode: name the group alone")
    return down_group(ranks, partial(down_one, as_json=as_json), as_json=as_json)


def down_one(host: str, tier: str, tell: Tell, *, as_json: bool) -> ExitCode:
    """Stop and remove the containers of one tier."""
    return _down(host, (tier,), None, as_json=as_json, tell=tell)


def _down(host: str, tiers: tuple[str, ...], mode: str | None, *, as_json: bool, tell: Tell | None = None) -> ExitCode:
    deployment, units = units_of(host, json=as_json)
    if units is not None:
        return ExitCode.of_command(units.down(tiers, mode))
    # For some tiers not `down` but `rm`: it leaves the network that the others are on.
    arguments = ["rm", "--stop", "--force"] if tiers else ["down", "--remove-orphans"]
    down = partial(delegate, deployment, arguments, tiers, mode, on_wait=partial(options.report_waiting, host))
    if not as_json:
        return ExitCode.of_command(down())
    from anvil_gen.cli.views.services import show_results  # noqa: PLC0415
    from anvil_gen.operate.service_results import results, snapshot  # noqa: PLC0415

    before = snapshot(deployment)
    code = down(stdout=sys.stderr.fileno())
    found = results(deployment.project, (), before, snapshot(deployment))
    show_results(deployment.stack.host, found, as_json=True, tell=tell)
    return ExitCode.of_command(code)
