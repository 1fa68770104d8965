"""The status of several hosts, one a row; and the status of hosts as metrics in Prometheus' form."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from anvil_gen.cli.views.diagnostics import diagnostic_json
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.cli.views.services import print_table, status_json
from anvil_gen.operate.statuses import Answer

Sample = tuple[str, str, str]
"""The name of a metric, its type, and a line."""
_HEAD = ("host", "state", "mode", "services", "gpus", "requests", "drift")


def show_fleet(answers: Sequence[Answer], *, as_json: bool) -> None:
    """Print a row for each host."""
    if as_json:
        print_json(hosts=[_answer_json(answer) for answer in answers])
        return
    print_table([_HEAD, *(_cells(answer) for answer in answers)])


def _answer_json(answer: Answer) -> dict[str, Any]:
    told = {"diagnostics": [diagnostic_json(diagnostic) for diagnostic in answer.diagnostics]}
    return {"host": answer.host, **(status_json(answer.status) if answer.status is not None else {}), **told}


def _cells(answer: Answer) -> tuple[str, ...]:
    status = answer.status
    if status is None:
        why = answer.diagnostics[0].summary if answer.diagnostics else "it does not answer"
        return (answer.host, "unknown", "-", why, "-", "-", "-")
    rows = status.rows
    well = [row for row in rows if row.state == "running" and row.health in (None, "healthy")]
    state = "healthy" if len(well) == len(rows) else "unhealthy" if well else "absent"
    numbers = [(row.requests_running, row.requests_waiting) for row in rows]
    running, waiting = (sum(pair[at] or 0 for pair in numbers) for at in (0, 1))
    known = any(number is not None for pair in numbers for number in pair)
    drift = [one.kind for row in rows for one in row.drift] + (["stale"] if status.stale is not None else [])
    return (
        answer.host,
        state,
        status.mode,
        f"{len(well)} of {len(rows)}",
        ", ".join(dict.fromkeys(gpu for row in rows for gpu in row.gpu_memory or row.gpus)) or "-",
        f"{running} running, {waiting} waiting" if known else "-",
        ", ".join(dict.fromkeys(drift)) or "-",
    )


def show_metrics(answers: Sequence[Answer]) -> None:
    """Print metrics for the text-file collector of a node exporter."""
    show_samples([sample for answer in answers for sample in _samples(answer)])


def show_samples(samples: Sequence[Sample]) -> None:
    """Print samples, those of a metric together."""
    for name, kind in dict.fromkeys((name, kind) for name, kind, _ in samples):
        click.echo(f"# TYPE {name} {kind}")
        for own in (line for other, _, line in samples if other == name):
            click.echo(own)


def _samples(answer: Answer) -> Iterator[Sample]:
    status = answer.status
    yield gauge("anvil_gen_status_known", 0 if status is None else 1, host=answer.host)
    yield gauge("anvil_gen_status_time_seconds", int(time.time()), host=answer.host)
    for row in status.rows if status is not None else ():
        kinds: list[str] = [drift.kind for drift in row.drift]
        for kind in dict.fromkeys(kinds or [""]):
            yield gauge("anvil_gen_drift", 1 if kind else 0, host=answer.host, service=row.service, kind=kind)
    if status is not None:
        yield gauge("anvil_gen_files_stale", 0 if status.stale is None else 1, host=answer.host)
    if answer.models_free_bytes is not None:
        yield gauge("anvil_gen_models_free_bytes", answer.models_free_bytes, host=answer.host)


def gauge(name: str, value: int, **labels: str) -> Sample:
    """Return a sample of a metric that goes up and down."""
    said = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return name, "gauge", f"{name}{{{said}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
