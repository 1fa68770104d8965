"""What has moved since it was pinned, and what is newer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from anvil_gen.cli.views.diagnostics import diagnostic_json, diagnostic_text
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.cli.views.pins import short
from anvil_gen.pin.outdated import Outdated
from anvil_gen.resolve.host import Host


def show_outdated(rows: Sequence[tuple[Host, Sequence[Outdated]]], *, as_json: bool) -> None:
    """Print each image and model that is not as it is held, and a line for a host where all are."""
    if as_json:
        print_json(hosts=[{"host": host.name, "pins": [_json(one) for one in several]} for host, several in rows])
        return
    for host, several in rows:
        stale = [one for one in several if not one.is_current]
        click.echo(f"{host.name}: {len(stale)} of {len(several)} to look at" if stale else f"{host.name}: up to date")
        for one in stale:
            _show(one)


def _show(one: Outdated) -> None:
    click.echo(f"  {one.name}  ({', '.join(one.owners)})")
    if not one.held:
        click.echo(f"    not held; now {short(one.now)}")
    elif one.held != one.now:
        gone = ", and its registry no longer has the old one" if one.gone else ""
        click.echo(f"    moved: {short(one.held)} -> {short(one.now)}{gone}")
    if one.newer is not None:
        click.echo(f"    newer: {one.newer.tag}")
        for diagnostic in one.newer.breaks:
            lines = diagnostic_text(diagnostic).rstrip().splitlines()
            click.echo("\n".join(f"      {line}" for line in lines))


def _json(one: Outdated) -> dict[str, Any]:
    newer = one.newer
    return {
        "kind": one.kind,
        "name": one.name,
        "owners": list(one.owners),
        "held": one.held or None,
        "now": one.now,
        "gone": one.gone,
        "newer": newer and {"tag": newer.tag, "breaks": [diagnostic_json(found) for found in newer.breaks]},
    }
