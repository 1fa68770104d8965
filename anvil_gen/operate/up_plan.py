"""What an `up` is about to do: the mode, its services, and what goes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.compose import Hashes
from anvil_gen.machine.containers import Container, ContainerQuery
from anvil_gen.machine.ownership import require_known_services, require_own_containers
from anvil_gen.operate.deployment import Deployment, all_services, services_of
from anvil_gen.operate.leftovers import leftovers
from anvil_gen.operate.running_mode import running_mode
from anvil_gen.operate.service_results import snapshot
from anvil_gen.resolve.model import Mode


class UpRequest(Struct, frozen=True, kw_only=True):
    """What to start: tiers by the inventory's names, all of them for none; a mode, None for the one that runs.

    ``keep_removed``: what has left the inventory goes on running.
    """

    tiers: Sequence[str] = ()
    mode: str | None = None
    pull: bool = False
    render: bool = False
    keep_removed: bool = False


class UpPlan(Struct, frozen=True, kw_only=True):
    """What is about to happen. ``named`` are the services that Compose is given by name.

    ``removed`` have left the inventory, and go first; ``switches``: so does what is not in the mode, by Compose.
    """

    mode: Mode
    running: Mode
    services: Sequence[str]
    named: Sequence[str]
    before: Mapping[str, Container]
    hashes: Hashes
    removed: Sequence[Container]
    switches: bool


def plan_up(request: UpRequest, deployment: Deployment, query: ContainerQuery, hashes: Hashes) -> UpPlan:
    """Return what is about to happen.

    Raises:
        DiagnosticError: there is no such mode or tier, or the containers are another inventory's.
    """
    before = snapshot(deployment, query)
    running = running_mode(deployment.stack, before)
    mode = deployment.mode(request.mode) if request.mode is not None else _mode_with(deployment, running, request.tiers)
    services = deployment.services(mode, request.tiers)
    if not services:
        remedy = "add a tier to it, and render it"
        raise DiagnosticError([Diagnostic(code="nothing-to-start", detail="the mode has no tier", remedy=remedy)])
    require_own_containers(deployment.project, query.containers())
    switches = request.mode is not None and not request.tiers
    if switches:
        require_known_services(deployment.project, query.containers(), all_services(deployment.stack))
    keep = request.keep_removed or request.tiers
    return UpPlan(
        mode=mode,
        running=running,
        services=services,
        # Compose gets no service names if all of them are meant.
        named=services if request.tiers else [],
        before=before,
        hashes=hashes.of(mode.root_file),
        removed=[] if keep else leftovers(deployment, query.containers()),
        switches=switches,
    )


def _mode_with(deployment: Deployment, running: Mode, tiers: Sequence[str]) -> Mode:
    """Return the mode that runs, or the default mode where that has not all of the tiers."""
    known = services_of(deployment.stack, running)
    return running if {*tiers} <= {*known, *known.values()} else deployment.mode(None)
