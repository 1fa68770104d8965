"""What `doctor` found: a line a check, and below them what mends those that did not pass."""

from __future__ import annotations

from typing import Any

import click

from anvil_gen.cli.views.diagnostics import diagnostic_json
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.operate.doctor.check import Check
from anvil_gen.operate.doctor.run import DoctorResult

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def show_doctor(examination: DoctorResult, *, as_json: bool) -> None:
    """Print what was looked at, and how each came out."""
    if as_json:
        print_json(**_json(examination))
        return
    width = max(len(check.what) for check in examination.checks)
    for check in examination.checks:
        told = check.found if check.diagnostic is None else check.diagnostic.summary
        click.echo(f"{_verdict(check)}  {check.what:{width}}  {told}".rstrip())
    for check in examination.checks:
        if check.diagnostic is not None:
            click.echo(f"\n{_verdict(check)}  {click.style(check.what, bold=True)}")
            for line in (*check.diagnostic.detail.strip().splitlines(), *check.diagnostic.remedy.splitlines()):
                click.echo(f"  {line}".rstrip())
    if examination.unchecked:
        click.echo()
    for what in examination.unchecked:
        click.echo(f"not looked at: {what}")
    counts = ", ".join(f"{examination.count(verdict)} {verdict}" for verdict in ("pass", "warn", "fail"))
    click.echo(f"\n{examination.host}: {counts}")


def _verdict(check: Check) -> str:
    return click.style(check.verdict, fg=_COLOURS[check.verdict])


def _json(examination: DoctorResult) -> dict[str, Any]:
    return {
        "host": examination.host,
        "mode": examination.mode,
        "ok": examination.count("fail") == 0,
        "checks": [
            {
                "what": check.what,
                "verdict": check.verdict,
                "found": check.found,
                "fault": None if check.diagnostic is None else diagnostic_json(check.diagnostic),
            }
            for check in examination.checks
        ],
        "unchecked": list(examination.unchecked),
    }
