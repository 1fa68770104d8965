"""What would keep services from starting, looked up before the first container is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.containers import Container
from anvil_gen.operate.deployment import Deployment, reload_services, services_of
from anvil_gen.operate.up_plan import UpPlan
from anvil_gen.resolve.model import Mode


def require_startable(deployment: Deployment, plan: UpPlan) -> list[str]:
    """Return the services that are about to be created or recreated; refuse to touch anything if one could not start.

    Raises:
        DiagnosticError: with every reason, or because Compose refuses the files.
    """
    refused: DiagnosticError | None = None
    try:
        changing = changing_services(plan.mode, plan.named, plan.before, plan.hashes.by_service())
    except DiagnosticError as error:  # perhaps for a variable, which is among the reasons
        refused, changing = error, [*plan.services]
    if not changing:
        return []
    from anvil_gen.operate.doctor.context import DoctorContext  # noqa: PLC0415
    from anvil_gen.operate.doctor.diagnose import obstacles, outdated  # noqa: PLC0415  most runs change nothing

    leaving = {one.id for one in _leaving(deployment, plan, changing)}
    found = obstacles(DoctorContext(deployment, plan.mode, changing, leaving=leaving))
    if refused is not None:  # perhaps not for the files, but because Compose itself is too old
        found = [*outdated(deployment), *found]
    if found:
        raise DiagnosticError(found)
    if refused is not None:
        raise refused
    return changing


def changing_services(
    mode: Mode, services: Iterable[str], before: Mapping[str, Container], hashes: Mapping[str, str]
) -> list[str]:
    """Return those of some services, or all for none, that Compose would create, recreate or start anew."""
    # The hash of a service that reloads a router has the router's container in it, and so says nothing.
    untold = reload_services([mode])
    return [one for one in services or hashes if _changes(before.get(one), hashes.get(one), untold=one in untold)]


def router_outage(mode: Mode, changing: Iterable[str], before: Mapping[str, Container]) -> Diagnostic | None:
    """Return the notice that a router which runs is about to be recreated; None where it is not."""
    router = mode.router
    one = before.get(router.service) if router is not None else None
    if router is None or one is None or not one.running or router.service not in changing:
        return None
    why = "a reload cannot change all that differs" if router.reloads else "this kind cannot reload"
    detail = (
        f"{router.service} is recreated, since {why}: it is away until its new container is ready, and requests under"
        f" way are cut after {router.stop_grace_period or '10s'}"
    )
    return Diagnostic(code="router-outage", detail=detail, severity="warning")


def _changes(one: Container | None, config_hash: str | None, *, untold: bool) -> bool:
    # What an earlier `up` only created starts for the first time.
    return one is None or one.state == "created" or (not untold and one.config_hash != config_hash) or one.image_moved


def _leaving(deployment: Deployment, plan: UpPlan, changing: Iterable[str]) -> Iterator[Container]:
    """Yield the containers that give up their names and ports: they are removed before others start, or recreated."""
    yield from plan.removed
    yield from (plan.before[service] for service in changing if service in plan.before)
    staying = services_of(deployment.stack, plan.mode).values()
    yield from (one for service, one in plan.before.items() if plan.switches and service not in staying)
