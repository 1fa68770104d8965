"""What is wrong with services that are healthy, as their logs tell it."""

from __future__ import annotations

from collections.abc import Mapping

from anvil_gen.catalog.log_patterns import Cause
from anvil_gen.diagnostics import printable
from anvil_gen.machine.container_logs import LogEnds
from anvil_gen.machine.containers import Container
from anvil_gen.operate.deployment import Deployment
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.wait import logs_of
from anvil_gen.resolve.model import Mode


class Impairments:
    """The impairments of a mode's services; their logs are being read while something else is done."""

    def __init__(self, deployment: Deployment, mode: Mode, containers: Mapping[str, Container]) -> None:
        """Start to read the logs of the running ``containers``, by service, of which anything could be told.

        Raises:
            DiagnosticError: a data file has errors, or Docker cannot be started.
        """
        running = {service: one for service, one in containers.items() if one.running}
        self._logs = logs_of(deployment, mode, running)
        told = {service: one for service, one in running.items() if self._logs[service].may_be_impaired}
        self._ends = LogEnds(deployment.project.docker, told)

    def by_service(self) -> dict[str, tuple[Drift, ...]]:
        """Return the impairments of each service as drifts, one for each cause."""
        return {service: tuple(self._drifts(service, lines)) for service, lines in self._ends.lines().items()}

    def _drifts(self, service: str, lines: tuple[str, ...]) -> list[Drift]:
        found: dict[str, Cause] = {}
        for line in lines:
            cause = self._logs[service].impairment(line)
            if cause is not None:
                found.setdefault(cause.cause, cause)
        return [
            Drift(kind="impaired", detail=f"{one.words}: {one.cause} ({printable(one.line)})", remedy=one.remedy)
            for one in found.values()
        ]
