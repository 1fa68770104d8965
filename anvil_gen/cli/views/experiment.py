"""The experiment slot: what was started, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from anvil_gen.cli.views.diagnostics import diagnostic_json, diagnostic_text
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.cli.views.services import (
    drift_json,
    result_entry,
    result_json,
    show_drift,
    show_entries,
    uptime,
)
from anvil_gen.deploy.diff_text import visible
from anvil_gen.diagnostics import Diagnostic
from anvil_gen.operate.experiment.trial import Started, TrialStatus, display_flags
from anvil_gen.operate.gpu_usage import GpuUse, Holder
from anvil_gen.text.masking import mask_arguments


def held_gpu(host: str, use: GpuUse | None, needed_mib: int | None) -> Diagnostic | None:
    """Return the warning about a trial's GPU; None where no tier holds it."""
    if use is None or not use.holders:
        return None
    lines = [f"{holder.tier}: {_holder(holder)}" for holder in use.holders]
    if use.gpu.memory_mib is not None:
        free = "free memory unknown" if use.left_mib is None else f"{use.left_mib} MiB free"
        needed = "" if needed_mib is None else f"; the trial needs {needed_mib} MiB"
        lines.append(f"{use.gpu.memory_mib} MiB, {free}{needed}")
    if use.busy:
        remedy = f"to free it:\n\n    anvil-gen down {host} {' '.join(use.busy)}"
        code = "gpu-is-in-use"
    else:
        remedy = "to free it before the next `up`:\n\n" + f"    anvil-gen experiment down {host}"
        code = "gpu-is-also-used-by-a-tier"
    return Diagnostic(code=code, detail="\n".join([use.gpu.name, *lines]), remedy=remedy, severity="warning")


def _holder(holder: Holder) -> str:
    where = "in the default mode" if holder.in_default_mode else "in another mode"
    state = "running" if holder.running else "not running"
    return f"{where}, {state}{_memory(holder.takes_mib)}"


def _memory(mib: int | None) -> str:
    return f", uses {mib} MiB" if mib is not None else ""


def show_started(
    started: Started, use: GpuUse | None, diagnostics: Sequence[Diagnostic] = (), *, as_json: bool
) -> None:
    """Print what was started and its address; ``diagnostics`` are printed in JSON only."""
    trial = started.trial
    if as_json:
        print_json(
            host=started.host,
            model=trial.model,
            served_name=trial.served_name,
            address=started.address,
            flags=mask_arguments(trial.flags),
            card=_gpu_json(use),
            service=result_json(started.result),
            diagnostics=[diagnostic_json(diagnostic) for diagnostic in diagnostics],
        )
        return
    show_entries([result_entry(started.result)])
    if started.code == 0:
        where = f" at http://{started.address}" if started.address else ""
        click.echo(f'\n{trial.model} as "{trial.served_name}"{where}; to follow its log:\n')
        click.echo(f"    anvil-gen experiment logs {started.host} -f")


def _gpu_json(use: GpuUse | None) -> dict[str, Any] | None:
    if use is None:
        return None
    holders = [{name: getattr(holder, name) for name in holder.__struct_fields__} for holder in use.holders]
    return {
        "name": use.gpu.name,
        "uuid": use.gpu.uuid,
        "index": use.gpu.index,
        "memory_mib": use.gpu.memory_mib,
        "left_mib": use.left_mib,
        "holders": holders,
    }


def show_trial(status: TrialStatus, *, as_json: bool) -> None:
    """Print what is in the slot, then each drift with its fix."""
    if as_json:
        print_json(**_status_json(status))
        return
    if not status.container:
        click.echo(f"no trial; to start one:\n\n    anvil-gen experiment up {status.host} MODEL")
    else:
        for name, value in _facts(status, datetime.now(UTC)):
            click.echo(f"{name:12} {value}".rstrip())
    if status.stale is not None:
        click.echo(f"\n{diagnostic_text(status.stale).rstrip()}")
    for drift in status.drift:
        show_drift("experiment", drift)


def _facts(status: TrialStatus, now: datetime) -> Iterator[tuple[str, str]]:
    variables = status.variables
    yield "model", variables.get("MODEL") or "-"
    yield "served name", variables.get("SERVED_NAME") or "-"
    if variables.get("EXTRA_ARGS"):
        yield "flags", visible(display_flags(variables))
    yield "gpu", status.gpu or "-"
    yield "port", status.port or "-"
    yield "state", status.state if status.started_at else f"{status.state} ({status.exit_code})"
    yield "health", status.health or "-"
    yield "up", uptime(status.started_at, now)
    yield "drift", ", ".join(dict.fromkeys(drift.kind for drift in status.drift)) or "-"


def _status_json(status: TrialStatus) -> dict[str, Any]:
    variables = status.variables
    trial = {
        "container": status.container,
        "model": variables.get("MODEL", ""),
        "served_name": variables.get("SERVED_NAME", ""),
        "flags": display_flags(variables),
        "card": status.gpu,
        "port": status.port,
        "state": status.state,
        "health": status.health,
        "exit_code": status.exit_code,
        "started_at": status.started_at,
        "drift": [drift_json(drift) for drift in status.drift],
    }
    return {
        "host": status.host,
        "project": status.project,
        "stale": None if status.stale is None else diagnostic_json(status.stale),
        "trial": trial if status.container else None,
    }
