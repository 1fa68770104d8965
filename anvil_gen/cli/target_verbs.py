"""The operating verbs for hosts of another target than Docker Compose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.operate.deployment import Deployment, open_deployment
from anvil_gen.resolve.target import CODE, resolve_target

if TYPE_CHECKING:
    from anvil_gen.operate.systemd_units import SystemdUnits


def units_of(host: str, **options: object) -> tuple[Deployment, SystemdUnits | None]:
    """Return a host, with its units where systemd runs its services.

    Raises:
        DiagnosticError: there is no such host; or one of ``options`` is set, which are for Docker Compose alone.
    """
    deployment = open_deployment(host, Path.cwd())
    target = resolve_target(deployment.host, deployment.host.options.target)
    if target.data.operated_by != "systemd":
        return deployment, None
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        detail = f"{', '.join(given)}: {target.data.title} run the services of {deployment.host.name}"
        raise DiagnosticError([Diagnostic(code=CODE, detail=detail, remedy="leave it out")])
    from anvil_gen.operate.systemd_units import SystemdUnits  # noqa: PLC0415  few hosts have it

    own = open_deployment(host, Path.cwd(), target=target.name)
    return own, SystemdUnits(own, target.name)
