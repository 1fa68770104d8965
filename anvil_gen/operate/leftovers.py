"""Containers of services that have left the inventory: they hold the ports and GPUs that a renamed tier needs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError, Location
from anvil_gen.machine.containers import Container
from anvil_gen.machine.docker import Docker
from anvil_gen.operate.deployment import Deployment, all_services
from anvil_gen.text_files import read_text


def leftovers(deployment: Deployment, containers: Iterable[Container]) -> list[Container]:
    """Return the containers of the project, created in its folder, whose service is in no file of the tree.

    Services of other modes, tiers on standby and services with a profile are in one.

    Raises:
        DiagnosticError: a compose file in the folder cannot be read.
    """
    known = all_services(deployment.stack)
    unknown = [one for one in containers if _is_own(deployment, one) and one.service and one.service not in known]
    if not unknown:
        return []
    in_files = set(_services_in_files(deployment.project.folder))
    return [one for one in unknown if one.service not in in_files]


def removal_notice(one: Container) -> Diagnostic:
    """Return what is said before a leftover container is removed."""
    detail = f"{one.service} (container {one.name}) is no longer in the inventory: it is stopped and removed"
    remedy = "its volumes are kept; `--keep-removed` leaves such containers running"
    return Diagnostic(code="service-left-the-inventory", detail=detail, remedy=remedy, severity="warning")


def remove(docker: Docker, containers: Iterable[Container]) -> None:
    """Stop and remove containers; each has its own time to stop, and no volume is removed.

    Raises:
        DiagnosticError: Docker cannot do that.
    """
    ids = [one.id for one in containers]
    if ids:
        docker.output("container", "stop", *ids)
        docker.output("container", "rm", *ids)


def _is_own(deployment: Deployment, one: Container) -> bool:
    project, there = deployment.project, one.project_folder
    return one.project == project.name and bool(there) and os.path.realpath(there) == os.path.realpath(project.folder)


def _services_in_files(folder: Path) -> Iterator[str]:
    """Yield every service that a compose file of the folder has, also what templates and override files add."""
    from anvil_gen.render.yaml_loader import load_yaml  # noqa: PLC0415  most runs find nothing unknown

    for file in sorted((*folder.glob("*.y*ml"), *folder.glob("*/*.y*ml"))):
        try:
            data = load_yaml(read_text(file), str(file))
        except (OSError, ValueError, InternalError) as error:
            detail = f"it may have the services of containers that would be removed: {error}"
            remedy = "fix it, or leave those containers alone with --keep-removed"
            location = Location(file=str(file))
            raise DiagnosticError(
                [Diagnostic(code="cannot-read-the-file", detail=detail, remedy=remedy, location=location)]
            ) from None
        services = data.get("services") if isinstance(data, dict) else None
        yield from map(str, services if isinstance(services, dict) else ())
