"""What the next ``up`` does to the containers that run: how they differ from the files, as `status` finds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from anvil_gen.catalog.catalog import catalog_of
from anvil_gen.deploy.compose_diff import ROUTES, Action, Change
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.operate.deployment import Deployment, mode_of
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.service_results import Result
from anvil_gen.operate.status import ABSENT, Row, Status, status_of
from anvil_gen.resolve.host import Host
from anvil_gen.review.causes import Elsewhere, Inputs, with_causes
from anvil_gen.review.consequence import ServiceChange
from anvil_gen.review.host_plan import NOTHING, HostPlan, with_last_starts


def against_live(inventory: Path) -> HostPlan:
    """Return what the next ``up`` does to the containers of a host, in the mode that runs.

    Raises:
        DiagnosticError: the inventory has errors, nothing is rendered, or Docker does not answer.
    """
    deployment = Deployment(Host(inventory, catalog_of(fleet_root(inventory))))
    status = status_of(deployment, None)
    if status.stale is not None and deployment.unrendered:
        raise DiagnosticError([status.stale])
    root = mode_of(deployment.stack, status.mode).root_file
    services = [one for row in status.rows for one in _of_row(row, status, root)]
    return HostPlan(
        host=status.host,
        inventory=inventory.as_posix(),
        stack=deployment.stack,
        services=tuple(with_last_starts(with_causes(services, _inputs(deployment)), deployment.host.output)),
        files=(),
        notes=tuple(_notes(status)),
    )


def status_with_causes(status: Status, deployment: Deployment) -> Status:
    """Return a status whose drift tells the lines of the inventory that have the values of the files."""

    def of(service: str, drift: Drift) -> Drift:
        return replace(drift, changes=_with_causes(deployment, service, drift.changes)) if drift.changes else drift

    rows = tuple(replace(row, drift=tuple(of(row.service, drift) for drift in row.drift)) for row in status.rows)
    return replace(status, rows=rows)


def results_with_causes(results: Iterable[Result], deployment: Deployment) -> list[Result]:
    """Return what `up` did, with the lines of the inventory that have the values of the new containers."""
    return [
        replace(one, changes=_with_causes(deployment, one.service, one.changes)) if one.changes else one
        for one in results
    ]


def _with_causes(deployment: Deployment, service: str, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    one = ServiceChange(
        service=service,
        project=deployment.project.name,
        root="",
        consequence=Consequence.RECREATE,
        changes=changes,
        before={},
        after={},
    )
    (found,) = with_causes([one], _inputs(deployment))
    return found.changes


def _inputs(deployment: Deployment) -> Inputs:
    """Return what is known of how containers came about: not by which inventory."""
    return Inputs(
        document=deployment.host.collector.document,
        stack=deployment.stack,
        after=NOTHING,
        edits=None,
        elsewhere=Elsewhere(),
        render=lambda _: None,
    )


def _notes(status: Status) -> Iterator[str]:
    if status.stale is not None:
        yield f"{status.stale.summary}: {status.stale.detail}; this is about the files as they are"
    for row in status.rows:
        yield from (f"{row.service}: {drift.detail}" for drift in row.drift if drift.kind in ("foreign", "port"))


def _of_row(row: Row, status: Status, root: str) -> Iterator[ServiceChange]:
    consequence, changes = _consequence(row), [*_changes(row, status.project)]
    if changes:
        yield ServiceChange(
            service=row.service,
            project=status.project,
            root=root,
            consequence=consequence,
            changes=tuple(changes),
            before={},
            after={},
        )


def _consequence(row: Row) -> Consequence:
    found = {drift.consequence for drift in row.drift} - {Consequence.RELOAD}
    worst = next((one for one in Consequence if one in found), None)
    if worst is not None:
        return worst
    return Consequence.START if row.state != "running" else Consequence.RELOAD


def _changes(row: Row, project: str) -> Iterator[Change]:
    whole = ("services", row.service)
    if any(drift.kind == "unknown" for drift in row.drift):
        yield Change(action=Action.DELETE, project=project, address=whole)
    elif row.state == ABSENT:
        yield Change(action=Action.CREATE, project=project, address=whole)
    else:
        for drift in row.drift:
            yield from _of_drift(drift, whole, project)
        if row.state != "running" and not row.drift:
            yield Change(action=Action.UPDATE, project=project, address=(*whole, "state"), reason=f"it is {row.state}")


def _of_drift(drift: Drift, whole: tuple[str, str], project: str) -> Iterator[Change]:
    keys = {"config": "configuration", "image": "image", "routes": ROUTES}
    if drift.changes:
        yield from drift.changes
    elif drift.kind in keys:
        address = (*whole, keys[drift.kind])
        yield Change(action=Action.UPDATE, project=project, address=address, reason=drift.detail)
