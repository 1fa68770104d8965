"""``anvil-gen render``: inventories into deploy trees."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from anvil_gen.diagnostics import ExitCode
from anvil_gen.fleet import all_inventories, find_inventory
from anvil_gen.generate import Rendered, against_disk, gather, generator, write
from anvil_gen.views import JsonView, TextView, View


def run(
    hosts: Sequence[str],
    *,
    every: bool,
    check: bool,
    to_stdout: bool,
    output: str | None,
    force: bool,
    as_json: bool,
) -> ExitCode:
    """Render hosts, and write, compare or print what comes out."""
    here = Path.cwd()
    found = all_inventories(here) if every else gather(lambda host: find_inventory(host, here), hosts)
    # A host may be named twice, by its name and by its path.
    inventories = {path.absolute(): path for path in found}.values()
    rendered = generator().render_all(inventories, output=Path(output) if output is not None else None)
    view: View = JsonView() if as_json else TextView()
    view.faults([warning for one in rendered for warning in one.warnings])
    if to_stdout:
        _print_trees(rendered)
        return ExitCode.OK
    outcomes = gather(against_disk, rendered)
    if check:
        view.checked(outcomes)
        return ExitCode.DIFFERS if any(outcome.files for outcome in outcomes) else ExitCode.OK
    # The containers read these files as users of their own: what the umask takes from others would keep them from it.
    os.umask(os.umask(0o022) & 0o022)
    outcomes = write(outcomes, force=force)
    view.written(outcomes)
    return ExitCode.OK


def _print_trees(rendered: Sequence[Rendered]) -> None:
    for one in rendered:
        for path, text in one.tree.files.items():
            click.echo(f"==> {path if len(rendered) == 1 else f'{one.host}/{path}'} <==")
            click.echo(text)
