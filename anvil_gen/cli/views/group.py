"""The status of a group: a row for each rank, then what is wrong, with the command."""

from __future__ import annotations

from datetime import UTC, datetime

from anvil_gen.cli.views.diagnostics import diagnostic_json
from anvil_gen.cli.views.fleet_status import gauge, show_samples
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.cli.views.services import drift_json, print_table, show_drift, uptime
from anvil_gen.operate.group import GroupStatus

_HEAD = ("rank", "host", "service", "state", "health", "uptime", "drift")


def show_group(status: GroupStatus, *, as_json: bool) -> None:
    """Print the ranks of a group."""
    if as_json:
        print_json(group=status.group, ranks=[_rank_json(status, number) for number in range(len(status.ranks))])
        return
    print_table([_HEAD, *(_cells(status, number) for number in range(len(status.ranks)))])
    for drift in status.drift:
        show_drift(status.group, drift)
    for number, (rank, _) in enumerate(status.ranks):
        row = status.row(number)
        for drift in row.drift if row is not None else ():
            show_drift(f"{row.service if row is not None else rank.tier} on {rank.host}", drift)


def show_group_metrics(status: GroupStatus) -> None:
    """Print the drift of the group itself as a metric of its head, besides those that each host has of its own."""
    head, _ = status.ranks[0]
    kinds = dict.fromkeys(str(drift.kind) for drift in status.drift) or [""]
    own = {"host": head.deployment.host.name, "service": head.service.name, "group": status.group}
    show_samples([gauge("anvil_gen_drift", 1 if kind else 0, kind=kind, **own) for kind in kinds])


def _cells(status: GroupStatus, number: int) -> tuple[str, ...]:
    (rank, answer), row = status.ranks[number], status.row(number)
    if row is None:
        why = answer.diagnostics[0].summary if answer.diagnostics else "it does not answer"
        return (str(number), rank.host, rank.tier, "unknown", "-", "-", why)
    kinds = [drift.kind for drift in row.drift]
    up = uptime(row.started_at, datetime.now(UTC))
    return (str(number), rank.host, row.service, row.state, row.health or "-", up, ", ".join(kinds) or "-")


def _rank_json(status: GroupStatus, number: int) -> dict[str, object]:
    (rank, answer), row = status.ranks[number], status.row(number)
    return {
        "rank": number,
        "host": rank.host,
        "service": rank.tier,
        "state": "unknown" if row is None else row.state,
        "health": None if row is None else row.health,
        "drift": [drift_json(drift) for drift in (*(row.drift if row is not None else ()), *status.drift)],
        "diagnostics": [diagnostic_json(one) for one in answer.diagnostics],
    }
