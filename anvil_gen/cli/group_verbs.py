"""Verbs of a group: rank by rank over its hosts, where a host's name could be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.inventory.fleet import GROUPS, hosts_folder

if TYPE_CHECKING:
    from anvil_gen.operate.group import OperatedRank

Tell = Callable[..., None]
"""Takes what a command has to say as JSON."""
_OneRank = Callable[[str, str, Tell], ExitCode]
"""Does something on a host, to a tier."""


def group_ranks(word: str, here: Path) -> list[OperatedRank]:
    """Return the ranks of a group, by their numbers; none where the word means a host."""
    folder = hosts_folder(here)
    if folder is None or not (folder.parent / GROUPS / f"{word}.toml").is_file():
        return []
    from anvil_gen.operate.group import ranks_of_group  # noqa: PLC0415  most runs are of a host

    return ranks_of_group(word, here)


class _Run:
    """One run over the ranks of a group: told as it goes, or as one JSON document at its end."""

    def __init__(self, ranks: list[OperatedRank], *, as_json: bool) -> None:
        """Take the ranks, of which nothing has been done."""
        self.ranks, self.as_json = ranks, as_json
        self.reasons: list[str] = []
        self.diagnostics: Sequence[Diagnostic] = ()
        self._told = {rank.number: dict[str, Any](rank=rank.number, host=rank.host) for rank in ranks}

    def say(self, text: str) -> None:
        """Tell a person what is done next, or why."""
        if not self.as_json:
            click.echo(text, err=True)

    def each(self, ranks: list[OperatedRank], act: _OneRank, doing: str) -> ExitCode:
        """Do something to ranks, in their order, until one fails."""
        for rank in ranks:
            self.say(f"{doing} rank {rank.number} on {rank.host}")
            told = self._told[rank.number]
            try:
                code = act(rank.deployment.host.path.as_posix(), rank.tier, told.update)
            except DiagnosticError as error:
                if not self.as_json:
                    raise
                told.update(diagnostics=_json(error.diagnostics))
                code = ExitCode.ERROR
            told["host"] = rank.host
            if code is not ExitCode.OK:
                return code
        return ExitCode.OK

    def end(self, code: ExitCode) -> ExitCode:
        """Show what is still to be told, and return the exit code."""
        if self.as_json:
            from anvil_gen.cli.views.json_output import print_json  # noqa: PLC0415

            found = {"reasons": self.reasons, "diagnostics": _json(self.diagnostics)}
            print_json(group=self.ranks[0].group, ranks=[*self._told.values()], **found)
        elif self.diagnostics:
            raise DiagnosticError(self.diagnostics)
        return ExitCode.ERROR if self.diagnostics else code


def _json(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    from anvil_gen.cli.views.diagnostics import diagnostic_json  # noqa: PLC0415

    return [diagnostic_json(one) for one in diagnostics]


def up_group(
    ranks: list[OperatedRank], up: _OneRank, down: _OneRank, *, render: bool, pull: bool, as_json: bool
) -> ExitCode:
    """Start or update a group: the workers first, since a head may ask for them at once.

    Where one rank is lost or will be another one, all are recreated: what is left of them hangs.
    """
    from anvil_gen.operate.group import (  # noqa: PLC0415
        different_images,
        different_overrides,
        rendered,
        require_operable,
        running_group,
    )

    if render:
        ranks = rendered(ranks)
    require_operable(ranks, "up", stale_too=True)
    status, run = running_group(ranks), _Run(ranks, as_json=as_json)
    different = different_overrides(ranks) + ([] if pull else different_images(ranks))
    if different:
        raise DiagnosticError(different)
    run.reasons = [one.detail for one in status.drift] or status.changing
    for reason in run.reasons:
        run.say(reason)
    code = run.each(ranks, down, "stopping") if run.reasons else ExitCode.OK
    if code is ExitCode.OK:
        code = run.each(ranks[::-1], up, "starting")
        run.diagnostics = different_images(ranks)  # a registry may have answered each host differently
    return run.end(code)


def down_group(ranks: list[OperatedRank], down: _OneRank, *, as_json: bool) -> ExitCode:
    """Stop a group: the head first, which then takes no more requests."""
    from anvil_gen.operate.group import require_operable  # noqa: PLC0415

    require_operable(ranks, "down", stale_too=False)
    run = _Run(ranks, as_json=as_json)
    return run.end(run.each(ranks, down, "stopping"))


def status_group(ranks: list[OperatedRank], *, metrics: bool, as_json: bool) -> ExitCode:
    """Show what the ranks of a group do; metrics say by themselves that there is drift."""
    from anvil_gen.cli.views.group import show_group, show_group_metrics  # noqa: PLC0415
    from anvil_gen.operate.group import group_status  # noqa: PLC0415

    found = group_status(ranks)
    if metrics:
        show_group_metrics(found)
        return ExitCode.OK
    show_group(found, as_json=as_json)
    return ExitCode.DIFFERS if found.has_drift else ExitCode.OK
