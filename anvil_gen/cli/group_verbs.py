"""Verbs of a group: rank by rank over its hosts, where a host's name could be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anvil_gen.diagnostics import ExitCode
from anvil_gen.inventory.fleet import GROUPS, hosts_folder

if TYPE_CHECKING:
    from anvil_gen.operate.group import OperatedRank

_OneRank = Callable[[str, str], ExitCode]
"""Does something on a host, to a tier."""


def group_ranks(word: str, here: Path) -> list[OperatedRank]:
    """Return the ranks of a group, by their numbers; none where the word means a host."""
    folder = hosts_folder(here)
    if folder is None or not (folder.parent / GROUPS / f"{word}.toml").is_file():
        return []
    from anvil_gen.operate.group import ranks_of_group  # noqa: PLC0415  most runs are of a host

    return ranks_of_group(word, here)


def require_current(ranks: list[OperatedRank], verb: str, *, stale_too: bool) -> None:
    """Refuse a group, before anything is stopped, of which one host cannot be operated from here, or is not rendered.

    Raises:
        DiagnosticError: with each of these hosts.
    """
    from anvil_gen.operate.group import require_operable  # noqa: PLC0415

    require_operable(ranks, verb, stale_too=stale_too)


def up_group(ranks: list[OperatedRank], up: _OneRank, down: _OneRank, *, stale_too: bool, as_json: bool) -> ExitCode:
    """Start or update a group: the workers first, since a head may ask for them at once.

    Where one rank is lost or will be another one, all are recreated: what is left of them hangs.
    """
    from anvil_gen.operate.group import group_status  # noqa: PLC0415

    require_current(ranks, "up", stale_too=stale_too)
    status = group_status(ranks)
    reasons = [one.detail for one in status.drift] or status.changing
    for reason in reasons:
        _say(reason, as_json=as_json)
    if reasons:
        code = _each(ranks, down, "stopping", as_json=as_json)
        if code is not ExitCode.OK:
            return code
    return _each(ranks[::-1], up, "starting", as_json=as_json)


def down_group(ranks: list[OperatedRank], down: _OneRank) -> ExitCode:
    """Stop a group: the head first, which then takes no more requests."""
    require_current(ranks, "down", stale_too=False)
    return _each(ranks, down, "stopping", as_json=False)


def _each(ranks: list[OperatedRank], act: _OneRank, doing: str, *, as_json: bool) -> ExitCode:
    for rank in ranks:
        _say(f"{doing} rank {rank.number} on {rank.host}", as_json=as_json)
        code = act(rank.deployment.host.path.as_posix(), rank.tier)
        if code is not ExitCode.OK:
            return code
    return ExitCode.OK


def _say(text: str, *, as_json: bool) -> None:
    if not as_json:
        click.echo(text, err=True)


def status_group(ranks: list[OperatedRank], *, as_json: bool) -> ExitCode:
    """Show what the ranks of a group do."""
    from anvil_gen.cli.views.group import show_group  # noqa: PLC0415
    from anvil_gen.operate.group import group_status  # noqa: PLC0415

    found = group_status(ranks)
    show_group(found, as_json=as_json)
    return ExitCode.DIFFERS if found.has_drift else ExitCode.OK
