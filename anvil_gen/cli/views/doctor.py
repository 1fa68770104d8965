"""The result of `doctor`: a line for each check, then the fix of each that did not pass."""

from __future__ import annotations

from typing import Any

import click

from anvil_gen.cli.views.diagnostics import diagnostic_json
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.operate.doctor.check import Check
from anvil_gen.operate.doctor.run import DoctorResult

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def show_doctor(result: DoctorResult, *, as_json: bool) -> None:
    """Print each check and its result."""
    if as_json:
        print_json(**_json(result))
        return
    width = max(len(check.what) for check in result.checks)
    for check in result.checks:
        outcome = check.found if check.diagnostic is None else check.diagnostic.summary
        click.echo(f"{_verdict(check)}  {check.what:{width}}  {outcome}".rstrip())
    for check in result.checks:
        if check.diagnostic is not None:
            click.echo(f"\n{_verdict(check)}  {click.style(check.what, bold=True)}")
            for line in (*check.diagnostic.detail.strip().splitlines(), *check.diagnostic.remedy.splitlines()):
                click.echo(f"  {line}".rstrip())
    if result.unchecked:
        click.echo()
    for what in result.unchecked:
        click.echo(f"not checked: {what}")
    counts = ", ".join(f"{result.count(verdict)} {verdict}" for verdict in ("pass", "warn", "fail"))
    click.echo(f"\n{result.host}: {counts}")


def _verdict(check: Check) -> str:
    return click.style(check.verdict, fg=_COLOURS[check.verdict])


def _json(result: DoctorResult) -> dict[str, Any]:
    return {
        "host": result.host,
        "mode": result.mode,
        "ok": result.count("fail") == 0,
        "checks": [
            {
                "what": check.what,
                "verdict": check.verdict,
                "found": check.found,
                "fault": None if check.diagnostic is None else diagnostic_json(check.diagnostic),
            }
            for check in result.checks
        ],
        "unchecked": list(result.unchecked),
    }
