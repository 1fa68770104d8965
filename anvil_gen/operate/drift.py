"""How running containers differ from the files, as changes with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.deploy.compose_diff import Change, compare
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.machine.compose import Project
from anvil_gen.machine.containers import Container, images_of, moment
from anvil_gen.operate.normalize import NormalizedService, normalize_container, normalize_service
from anvil_gen.operate.redact import Redaction

Kind = Literal["config", "image", "unknown", "foreign", "port", "routes", "failing", "impaired", "rank"]


class Drift(Struct, frozen=True, kw_only=True):
    """One way in which a container differs from the files.

    ``config``: created from another configuration; ``image``: its tag points to another image now; ``unknown``: a
    container of the project that is in no mode; ``foreign``: another container has its name; ``port``: its port is in
    use; ``routes``: the router has not read the files that are there now, or nothing would have it read others;
    ``failing``: it does not get through its start, again and again; ``impaired``: it serves, but not in the way that
    the inventory says; ``rank``: a rank of a group is lost to the others.
    """

    kind: Kind
    detail: str
    remedy: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def consequence(self) -> Consequence | None:
        """What the next `up` does about it; None where it does nothing, or would fail."""
        return _CONSEQUENCES.get(self.kind)


_CONSEQUENCES: Mapping[Kind, Consequence] = {
    "config": Consequence.RECREATE,
    "image": Consequence.RECREATE,
    "unknown": Consequence.STOP,
    "routes": Consequence.RELOAD,
}
_ONLY_ENVIRONMENT = Redaction()
_FAILURES = 5


def service_changes(
    project: str,
    service: str,
    before: NormalizedService,
    after: NormalizedService,
    hidden: Redaction = _ONLY_ENVIRONMENT,
) -> tuple[Change, ...]:
    """Return the differences between two normalized services, without values that may be secret.

    Values of the environment may come from `.env`, and so may those that ``hidden`` names.
    """
    found = compare([_file(project, service, before)], [_file(project, service, after)])
    return tuple(_without_value(change) if hidden.hides(change.address[2:]) else change for change in found)


def _file(project: str, service: str, normalized: NormalizedService) -> Mapping[str, Any]:
    return {"name": project, "services": {service: normalized}}


def _without_value(change: Change) -> Change:
    key, *rest = change.address[2:]
    what = rest[0] if key == "command" and rest else ".".join((key, *rest))
    return replace(change, before=None, after=None, reason=change.reason or f"{what} {change.action.done}")


class ProjectConfig:
    """The configuration of a project's files; Compose is queried once, when a container differs."""

    def __init__(self, project: Project, root_file: str) -> None:
        """Read the files of one root file on demand."""
        self._project = project
        self._root_file = root_file

    @cached_property
    def _config(self) -> Mapping[str, Any]:
        return self._project.services(self._root_file)

    @cached_property
    def _compose_version(self) -> str:
        return self._project.docker.output("compose", "version", "--short").strip()

    def drift_of(self, service: str, one: Container, hidden: Redaction = _ONLY_ENVIRONMENT) -> Drift:
        """Return how a container that Compose would recreate differs from its service.

        Raises:
            DiagnosticError: Docker does not answer, or Compose refuses the files.
        """
        image = images_of(self._project.docker, [one.image_id]).get(one.image_id)
        actual, expected = normalize_container(one, image), normalize_service(service, self._config, image)
        changes = service_changes(self._project.name, service, actual, expected, hidden)
        return config_drift(one, changes, self._compose_version)


def config_drift(container: Container, changes: Sequence[Change], compose_version: str) -> Drift:
    """Return the drift of a container that Compose would recreate for its configuration."""
    if changes:
        return Drift(kind="config", detail="created from another configuration", changes=tuple(changes))
    if container.compose_version and container.compose_version != compose_version.lstrip("v"):
        detail = f"created by Compose {container.compose_version}; {compose_version.lstrip('v')} writes it differently"
        return Drift(kind="config", detail=detail)
    return Drift(kind="config", detail="created from another configuration, in something that Docker does not report")


def repeated_failure(container: Container, start_period: float, now: datetime) -> Drift | None:
    """Return the drift of a container that has failed five times and more, the last time within its start period.

    One that has come through it since, or is healthy, is left out. ``start_period`` in seconds.
    """
    if container.restarts < _FAILURES or container.health == "healthy" or not container.started_at:
        return None
    finished = container.raw["State"].get("FinishedAt") or container.started_at
    end = now if container.running else moment(finished)
    if (end - moment(container.started_at)).total_seconds() >= start_period:
        return None
    last = "" if container.running else f", last with exit code {container.exit_code}"
    return Drift(kind="failing", detail=f"it has failed {container.restarts} times within its start period{last}")


def image_drift(container: Container, images: Mapping[str, Mapping[str, Any]]) -> Drift | None:
    """Return the drift of a container whose image tag points to another image now."""
    image = images.get(container.image)
    if image is None or image["Id"] == container.image_id:
        return None
    before, after = container.image_id.removeprefix("sha256:")[:12], image["Id"].removeprefix("sha256:")[:12]
    return Drift(
        kind="image", detail=f"{container.image} points to another image now (running: {before}, now: {after})"
    )
