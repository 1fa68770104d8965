"""``docker compose up -d``: the checks before it, and what it did."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.machine.compose import Project
from anvil_gen.machine.containers import Container, ContainerQuery
from anvil_gen.machine.ownership import require_own_containers
from anvil_gen.operate.deployment import Deployment, staleness
from anvil_gen.operate.service_results import Result, results, snapshot
from anvil_gen.resolve.model import Mode


class UpRequest(Struct, frozen=True, kw_only=True):
    """What to start: tiers by the inventory's names, all of them for none; a mode, None for the default mode."""

    tiers: Sequence[str] = ()
    mode: str | None = None
    pull: bool = False
    render: bool = False


class UpResult(Struct, frozen=True, kw_only=True):
    """What one `up` did: the services before it, what happened to each, and Compose's exit code.

    ``services`` are those that Compose was given by name; none where it was to start all.
    """

    deployment: Deployment
    mode: Mode
    services: Sequence[str]
    before: Mapping[str, Container]
    results: Sequence[Result]
    code: int

    @property
    def failed(self) -> bool:
        """Tell whether Compose has failed, and was not interrupted."""
        return self.code not in (ExitCode.OK, ExitCode.INTERRUPTED)


def start_services(
    request: UpRequest,
    deployment: Deployment,
    query: ContainerQuery,
    *,
    inherited: Sequence[int],
    warn: Callable[[Diagnostic], None],
    while_running: Callable[[], None],
) -> UpResult:
    """Start or update a host's services.

    Args:
        request: what to start.
        deployment: the host.
        query: the query for its containers, which has started.
        inherited: descriptors that Compose keeps open.
        warn: is called with each warning.
        while_running: is called while Compose runs.

    Raises:
        DiagnosticError: the inventory has errors, the files do not match it, or Docker does not answer.
    """
    deployment = _require_current(deployment, warn, render=request.render)
    mode = deployment.mode(request.mode)
    services = deployment.services(mode, request.tiers)
    if not services:
        remedy = "add a tier to it, and render it"
        raise DiagnosticError([Diagnostic(code="nothing-to-start", detail="the mode has no tier", remedy=remedy)])
    # Compose gets no service names if all of them are meant.
    named = services if request.tiers else []
    if deployment.project.docker.is_remote:
        _refuse_unmountable(deployment, mode, named)
    require_own_containers(deployment.project, query.containers())
    before = snapshot(deployment, query)
    for name in remove_unfinished(deployment.project, query):
        detail = f"{name}: left unfinished by an interrupted `up`"
        warn(Diagnostic(code="container-removed", detail=detail, severity="warning"))
    run = partial(
        deployment.project.run_interactive, root_file=mode.root_file, stdout=sys.stderr.fileno(), inherited=inherited
    )
    code = _compose(request, named, run, while_running)
    return UpResult(
        deployment=deployment,
        mode=mode,
        services=named,
        before=before,
        results=results(deployment.project, services, before, snapshot(deployment), deployment.stack),
        code=code,
    )


def _require_current(deployment: Deployment, warn: Callable[[Diagnostic], None], *, render: bool) -> Deployment:
    """Return the host, with files that match the inventory.

    Raises:
        DiagnosticError: they do not match it.
    """
    if render and deployment.pending is not None:
        from anvil_gen.deploy.pipeline import write_trees  # noqa: PLC0415  only this needs it

        write_trees([deployment.pending])
        return Deployment(deployment.host)
    diagnostic = staleness(deployment, then="run this again (or add --render)")
    if diagnostic is not None and diagnostic.severity == "error":
        raise DiagnosticError([diagnostic])
    if diagnostic is not None:
        warn(diagnostic)
    return deployment


def _refuse_unmountable(deployment: Deployment, mode: Mode, services: Sequence[str]) -> None:
    """Refuse Docker on another machine that would have to mount files of this one.

    Raises:
        DiagnosticError: there are such files.
    """
    from anvil_gen.operate.doctor.context import DoctorContext  # noqa: PLC0415
    from anvil_gen.operate.doctor.environment import remote_diagnostic  # noqa: PLC0415  most daemons are local

    diagnostic = remote_diagnostic(DoctorContext(deployment, mode, services))
    if diagnostic is not None:
        raise DiagnosticError([diagnostic])


def remove_unfinished(project: Project, query: ContainerQuery) -> list[str]:
    """Remove the containers that an interrupted Compose has left unfinished, and return their names.

    They block the next run, which would use their names again. They never ran, and no volume is removed.

    Raises:
        DiagnosticError: Docker does not answer, or one has been started in the meantime.
    """
    unfinished = [one for one in query.containers() if one.project == project.name and one.is_unfinished]
    if unfinished:
        project.docker.output("container", "rm", *(one.id for one in unfinished))
    return [one.name for one in unfinished]


def _compose(
    request: UpRequest, services: Sequence[str], run: Callable[..., int], while_running: Callable[[], None]
) -> int:
    """Run Compose, and return its exit code. An explicit mode stops the services that are not in it."""
    orphans = ("--remove-orphans",) if request.mode is not None else ()
    code = run("pull", "--ignore-buildable", *services) if request.pull else 0
    return code or run("up", "--detach", *orphans, *services, while_running=while_running)
