"""``docker compose up -d``: the checks before it, what has left the inventory first, and what it did."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.machine.compose import Hashes, Project
from anvil_gen.machine.containers import Container, ContainerQuery
from anvil_gen.operate.deployment import Deployment, staleness
from anvil_gen.operate.leftovers import removal_notice, remove
from anvil_gen.operate.preflight import changing_services, require_startable, router_outage
from anvil_gen.operate.service_results import Result, results, snapshot
from anvil_gen.operate.up_plan import UpPlan, UpRequest, plan_up
from anvil_gen.resolve.model import Mode


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
    hashes: Hashes,
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
        hashes: the query for the hashes of the default mode, which has started.
        inherited: descriptors that Compose keeps open.
        warn: is called with each warning.
        while_running: is called while Compose runs.

    Raises:
        DiagnosticError: the inventory has errors, the files do not match it, Docker does not answer, or a service that
            would change could not start.
    """
    current = _require_current(deployment, warn, render=request.render)
    if current is not deployment:  # rendered just now
        hashes = hashes.again()
    plan = plan_up(request, current, query, hashes)
    changes = _prepare(current, query, plan, warn)
    run = partial(
        current.project.run_interactive, root_file=plan.mode.root_file, stdout=sys.stderr.fileno(), inherited=inherited
    )
    code = _compose(plan, run, while_running, pull=request.pull)
    if code == 0 and plan.named:
        _follow_routes(current, plan, run, warn)
    # Where nothing was to change, what still runs is not looked into again.
    after = (
        None if changes else ContainerQuery(current.project.docker, current.project.name, known=plan.before.values())
    )
    return UpResult(
        deployment=current,
        mode=plan.mode,
        services=plan.named,
        before=plan.before,
        results=results(current.project, plan.services, plan.before, snapshot(current, after), current.stack),
        code=code,
    )


def _prepare(deployment: Deployment, query: ContainerQuery, plan: UpPlan, warn: Callable[[Diagnostic], None]) -> bool:
    """Make sure that what is about to change can start, and only then remove what has to go first.

    Returns:
        Whether anything is known to change.

    Raises:
        DiagnosticError: with everything that is in the way.
    """
    if deployment.project.docker.is_remote:
        _refuse_unmountable(deployment, plan.mode, plan.named)
    changing = require_startable(deployment, plan)
    for name in remove_unfinished(deployment.project, query):
        detail = f"{name}: left unfinished by an interrupted `up`"
        warn(Diagnostic(code="container-removed", detail=detail, severity="warning"))
    outage = router_outage(plan.mode, changing, plan.before)
    for notice in [*map(removal_notice, plan.removed), *([outage] if outage else [])]:
        warn(notice)
    remove(deployment.project.docker, plan.removed)
    return bool(changing or plan.removed or plan.switches)


def _follow_routes(
    deployment: Deployment, plan: UpPlan, run: Callable[..., int], warn: Callable[[Diagnostic], None]
) -> None:
    """Let a router that runs read its routes again, after its tiers; one that would have to be recreated is left."""
    mode = plan.running
    router = mode.router
    one = plan.before.get(router.service) if router is not None else None
    if router is None or one is None or not one.running or router.service in plan.named:
        return
    if changing_services(mode, [router.service], plan.before, plan.hashes.of(mode.root_file).by_service()):
        warn(_left_router(deployment, router.service))
    elif router.reloads:
        run("up", "--detach", "--no-deps", router.reload_service, root_file=mode.root_file)


def _left_router(deployment: Deployment, service: str) -> Diagnostic:
    detail = f"{service} differs from its files in what only a new container gets, and still runs its earlier routes"
    remedy = f"recreate it, when a short outage does no harm:\n\n    anvil-gen up {deployment.stack.host} {service}"
    return Diagnostic(code="router-was-left", detail=detail, remedy=remedy, severity="warning")


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


def _compose(plan: UpPlan, run: Callable[..., int], while_running: Callable[[], None], *, pull: bool) -> int:
    """Run Compose, and return its exit code. An explicit mode stops the services that are not in it."""
    orphans = ("--remove-orphans",) if plan.switches else ()
    code = run("pull", "--ignore-buildable", *plan.named) if pull else 0
    return code or run("up", "--detach", *orphans, *plan.named, while_running=while_running)
