"""What a lock got, and where it differs from its inventory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anvil_gen.cli.views.json_output import print_json
from anvil_gen.diagnostics import display_path
from anvil_gen.inventory.lock_file import lock_path
from anvil_gen.pin.changes import PinChange
from anvil_gen.resolve.host import Host

if TYPE_CHECKING:
    from anvil_gen.pin.pins import PinPlan

_SIGNS = {"add": "+", "update": "~", "remove": "-"}


def short(held: str) -> str:
    """Return the beginning of a digest or commit, as people compare them."""
    return held.removeprefix("sha256:")[:12]


def show_pins(written: Sequence[tuple[PinPlan, Sequence[Path]]], *, as_json: bool) -> None:
    """Print what each host is held to anew, and the files that were written."""
    if as_json:
        hosts = [
            {
                "host": plan.host.name,
                "written": [display_path(path) for path in paths],
                "changes": [_change_json(change) for change in plan.changes],
                "not_held": [str(one) for one in plan.unheld],
            }
            for plan, paths in written
        ]
        print_json(hosts=hosts)
        return
    for plan, paths in written:
        files = ", ".join(display_path(path) for path in paths)
        click.echo(f"{plan.host.name} -> {files}" if paths else f"{plan.host.name}: nothing changed")
        _show_changes(plan.changes)
        for one in plan.unheld:
            click.echo(f"  not held: {one}")


def show_check(differing: Sequence[tuple[Host, Sequence[PinChange]]], *, as_json: bool) -> None:
    """Print where locks and inventories differ."""
    if as_json:
        print_json(
            hosts=[
                {"host": host.name, "changes": [_change_json(change) for change in changes]}
                for host, changes in differing
            ]
        )
        return
    for host, changes in differing:
        file = display_path(lock_path(host.path))
        click.echo(f"{host.name}: {file} {'differs from the inventory' if changes else 'is up to date'}")
        _show_changes(changes)
        if changes:
            click.echo(f"\n    anvil-gen pin {host.path.as_posix()}\n")


def _show_changes(changes: Sequence[PinChange]) -> None:
    for change in changes:
        held = " -> ".join(short(one) for one in (change.before, change.after) if one)
        owners = f"({', '.join(change.owners)})" if change.owners else ""
        click.echo(f"  {_SIGNS[change.action]} {change.name}  {held}  {owners}".rstrip())


def _change_json(change: PinChange) -> dict[str, Any]:
    return {
        "action": change.action,
        "kind": change.kind,
        "name": change.name,
        "before": change.before or None,
        "after": change.after or None,
        "owners": list(change.owners),
    }
