"""What a command did to each service: its containers before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.deploy.compose_diff import Change, without_reloader
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.machine.compose import Project
from anvil_gen.machine.containers import Container, ContainerQuery, images_of
from anvil_gen.operate.deployment import Deployment
from anvil_gen.operate.drift import service_changes
from anvil_gen.operate.normalize import normalize_container
from anvil_gen.operate.redact import Redaction, redaction_of
from anvil_gen.resolve.model import Router, Stack


class ServiceAction(Enum):
    """What happened to a service, by the word for programs."""

    UNCHANGED = "unchanged"
    CREATED = "created"
    RECREATED = "recreated"
    STARTED = "started"
    RELOADING = "reloading"
    REMOVED = "removed"
    MISSING = "missing"
    NOT_STARTED = "not_started"

    @property
    def consequence(self) -> Consequence | None:
        """What a plan would have called it; None where `up` did not get as far as that."""
        return _CONSEQUENCES.get(self)


_CONSEQUENCES = {
    ServiceAction.UNCHANGED: Consequence.NONE,
    ServiceAction.CREATED: Consequence.START,
    ServiceAction.RECREATED: Consequence.RECREATE,
    ServiceAction.STARTED: Consequence.START,
    ServiceAction.RELOADING: Consequence.RELOAD,
    ServiceAction.REMOVED: Consequence.STOP,
}
_NOTHING_HAPPENED = (ServiceAction.UNCHANGED, ServiceAction.MISSING, ServiceAction.NOT_STARTED)


class Result(Struct, frozen=True, kw_only=True):
    """What happened to one service, and why."""

    service: str
    action: ServiceAction
    container: str
    changes: tuple[Change, ...] = ()
    reason: str = ""


def snapshot(deployment: Deployment, query: ContainerQuery | None = None) -> dict[str, Container]:
    """Return the project's containers by service, as they are now or were at an earlier query.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    project = deployment.project
    # Queried by name and by project at once: usually the names are the whole answer.
    query = query or ContainerQuery(project.docker, project.name, deployment.container_names)
    found = (one for one in query.containers() if one.project == project.name and not one.is_unfinished)
    return {one.service: one for one in found if one.service}


def results(
    project: Project,
    services: Iterable[str],
    before: Mapping[str, Container],
    after: Mapping[str, Container],
    stack: Stack | None = None,
) -> list[Result]:
    """Return what happened: to each of ``services``, and to every other service that changed.

    ``stack`` says which values come from variables, and must not be shown.
    """
    every = list(dict.fromkeys((*services, *sorted(before.keys() | after.keys()))))
    changed = [s for s in every if s in before and s in after and before[s].id != after[s].id]
    images = images_of(project.docker, (one.image_id for s in changed for one in (before[s], after[s])))
    requested = set(services)

    def recreated(service: str) -> tuple[Change, ...]:
        hidden = redaction_of(stack, service) if stack is not None else Redaction()
        old, new = (normalize_container(one, images.get(one.image_id)) for one in (before[service], after[service]))
        return service_changes(project.name, service, old, new, hidden)

    found = [_result(service, before.get(service), after.get(service), recreated) for service in every]
    router = stack.router if stack is not None else None
    if router is not None and router.reloads:
        found = _without_reloader(found, router)
    return [one for one in found if one.service in requested or one.action not in _NOTHING_HAPPENED]


def _without_reloader(found: Sequence[Result], router: Router) -> list[Result]:
    """Return results with what the router's reloading service does as the router's own."""
    by_service = {one.service: one for one in found}
    one, reloader = by_service.get(router.service), by_service.pop(router.reload_service, None)
    if one is None or reloader is None:
        return list(found)
    changes = tuple(without_reloader(reloader.changes, router.service, router.reload_service))
    if one.action is ServiceAction.UNCHANGED and changes:
        by_service[router.service] = replace(one, action=ServiceAction.RELOADING, changes=changes)
    return list(by_service.values())


def _result(
    service: str, before: Container | None, after: Container | None, recreated: Callable[[str], tuple[Change, ...]]
) -> Result:
    if after is None:
        action = ServiceAction.MISSING if before is None else ServiceAction.REMOVED
        return Result(service=service, action=action, container=before.name if before is not None else "")
    if after.state == "created":  # Compose has failed before it came to it, now or in an earlier run
        reason = "it has a container, which never ran"
        return Result(service=service, action=ServiceAction.NOT_STARTED, container=after.name, reason=reason)
    if before is None:
        return Result(service=service, action=ServiceAction.CREATED, container=after.name)
    if before.id == after.id:
        started = before.started_at != after.started_at and before.state != "restarting"
        action = ServiceAction.STARTED if started else ServiceAction.UNCHANGED
        reason = f"it was {before.state}" if started and before.state != "running" else ""
        if started and after.state == "exited":
            reason += f", and exited again with code {after.exit_code}"
        return Result(service=service, action=action, container=after.name, reason=reason)
    changes = recreated(service)
    return Result(
        service=service,
        action=ServiceAction.RECREATED,
        container=after.name,
        changes=changes,
        reason="; ".join(_other_reasons(before, after, changes)),
    )


def _other_reasons(before: Container, after: Container, changes: tuple[Change, ...]) -> Iterator[str]:
    if before.image_id != after.image_id and before.image == after.image:
        yield f"{after.image} points to another image now"
    elif not changes and before.compose_version != after.compose_version:
        yield f"created by Compose {before.compose_version}; {after.compose_version} writes it differently"
    elif not changes:
        yield "its configuration differs in something that Docker does not report"
