"""``docker compose up -d``, always: what goes before it, and what it did."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode
from anvil_gen.machine.compose import Project
from anvil_gen.machine.containers import Container, ContainerQuery
from anvil_gen.operate.deployment import Deployment, deployment_of, staleness
from anvil_gen.operate.service_results import Result, results, snapshot
from anvil_gen.operate.target import Target
from anvil_gen.resolve.model import Mode


class UpRequest(Struct, frozen=True, kw_only=True):
    """What is to be brought up: tiers by the inventory's names, all for none; None is the default mode."""

    tiers: Sequence[str] = ()
    mode: str | None = None
    pull: bool = False
    render: bool = False


class UpResult(Struct, frozen=True, kw_only=True):
    """What one `up` did: the services before it, what happened to each, Compose's exit code, and why it failed."""

    deployment: Deployment
    mode: Mode
    before: Mapping[str, Container]
    results: Sequence[Result]
    code: int
    diagnostics: Sequence[Diagnostic] = ()


def start_services(
    order: UpRequest,
    target: Target,
    look: ContainerQuery,
    *,
    inherited: Sequence[int],
    warn: Callable[[Diagnostic], None],
    meanwhile: Callable[[], None],
) -> UpResult:
    """Bring a host's services up.

    Args:
        order: what is wanted.
        target: the host.
        look: one at its containers, which has begun.
        inherited: descriptors that Compose keeps open.
        warn: is told what does not stop it.
        meanwhile: is called while Compose runs.

    Raises:
        DiagnosticError: the inventory has faults, the files are not what it renders, or Docker does not answer.
    """
    deployment = _current(deployment_of(target), warn, render=order.render)
    mode = deployment.mode(order.mode)
    services = deployment.services(mode, order.tiers)
    if not services:
        remedy = "give it a tier, and render it"
        raise DiagnosticError([Diagnostic(summary="nothing to bring up", detail="it has no tier", remedy=remedy)])
    # Compose is told no services where all are meant.
    named = services if order.tiers else []
    if target.project.docker.is_remote:
        _refuse_unmountable(deployment, mode, named)
    before = snapshot(deployment, look)
    for name in remove_unfinished(target.project, look):
        detail = f"{name}: an `up` that was cut short had not finished it"
        warn(Diagnostic(summary="container removed", detail=detail, severity="warning"))
    run = partial(
        target.project.run_interactive, root_file=mode.root_file, stdout=sys.stderr.fileno(), inherited=inherited
    )
    code = _compose(order, named, run, meanwhile)
    failed = code not in (ExitCode.OK, ExitCode.INTERRUPTED)
    return UpResult(
        deployment=deployment,
        mode=mode,
        before=before,
        diagnostics=_causes(deployment, mode, named) if failed else (),
        results=results(target.project, services, before, snapshot(deployment), deployment.stack),
        code=code,
    )


def _current(deployment: Deployment, warn: Callable[[Diagnostic], None], *, render: bool) -> Deployment:
    """Return the host with files that may be run.

    Raises:
        DiagnosticError: they are not what the inventory renders.
    """
    if render and deployment.stale:
        from anvil_gen.deploy.pipeline import generator, plan, write_trees  # noqa: PLC0415  only this needs it

        write_trees([plan(generator().render(deployment.resolved.inventory))])
        return replace(deployment, outcome=None)
    diagnostic = staleness(deployment, then="run this again (or add --render)")
    if diagnostic is not None and diagnostic.severity == "error":
        raise DiagnosticError([diagnostic])
    if diagnostic is not None:
        warn(diagnostic)
    return deployment


def _refuse_unmountable(deployment: Deployment, mode: Mode, services: Sequence[str]) -> None:
    """Refuse an engine on another machine that would have to mount files of this one.

    Raises:
        DiagnosticError: there are such files.
    """
    from anvil_gen.operate.doctor.context import DoctorContext  # noqa: PLC0415
    from anvil_gen.operate.doctor.environment import remote_diagnostic  # noqa: PLC0415  most engines are here

    diagnostic = remote_diagnostic(DoctorContext(deployment, mode, services))
    if diagnostic is not None:
        raise DiagnosticError([diagnostic])


def remove_unfinished(project: Project, look: ContainerQuery) -> list[str]:
    """Remove the containers that a Compose that was cut short has not finished, and return their names.

    They are in the way of the next one, which wants to give their names again. They never ran, and no volume goes.

    Raises:
        DiagnosticError: Docker does not answer, or one has been started meanwhile.
    """
    unfinished = [one for one in look.containers() if one.project == project.name and one.is_unfinished]
    if unfinished:
        project.docker.output("container", "rm", *(one.id for one in unfinished))
    return [one.name for one in unfinished]


def _compose(order: UpRequest, services: Sequence[str], run: Callable[..., int], meanwhile: Callable[[], None]) -> int:
    """Run Compose, and return its exit code. A mode that is named stops what is not in it."""
    orphans = ("--remove-orphans",) if order.mode is not None else ()
    code = run("pull", "--ignore-buildable", *services) if order.pull else 0
    return code or run("up", "--detach", *orphans, *services, meanwhile=meanwhile)


def _causes(deployment: Deployment, mode: Mode, services: Sequence[str]) -> list[Diagnostic]:
    from anvil_gen.operate.doctor.diagnose import diagnose  # noqa: PLC0415  only a failure needs it

    return diagnose(deployment, mode, services)
