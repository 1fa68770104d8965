"""The status of several hosts, asked at the same time: one that does not answer is a row, not a failure."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.system import free_gib
from anvil_gen.operate.deployment import Deployment, open_deployment
from anvil_gen.operate.status import Status, status_of

_AT_ONCE = 16


class Answer(Struct, frozen=True, kw_only=True):
    """A host's status; without one, why it is not known."""

    host: str
    status: Status | None
    diagnostics: tuple[Diagnostic, ...] = ()
    models_free_bytes: int | None = None  # of the disk of its models, if that is this machine's

    @property
    def states(self) -> dict[str, str] | None:
        """What each service does, by its tier's name or its own; None where that is not known."""
        if self.status is None:
            return None
        return {row.tier or row.service: row.health or row.state for row in self.status.rows}


def statuses(deployments: Sequence[Deployment], mode: str | None = None) -> list[Answer]:
    """Return the status of hosts, in their order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda deployment: _answer(deployment, mode), deployments))


def fleet_statuses(names: Sequence[str], here: Path) -> list[Answer]:
    """Return the status of a fleet's hosts, in their order; also one whose inventory cannot be read is an answer."""
    opened = [_opened(name, here) for name in names]
    answers = iter(statuses([one for one in opened if isinstance(one, Deployment)]))
    return [next(answers) if isinstance(one, Deployment) else one for one in opened]


def _opened(name: str, here: Path) -> Deployment | Answer:
    try:
        return open_deployment(name, here)
    except DiagnosticError as error:
        return Answer(host=Path(name).stem, status=None, diagnostics=tuple(error.diagnostics))


def _answer(deployment: Deployment, mode: str | None) -> Answer:
    name = deployment.host.name
    try:
        return Answer(host=name, status=status_of(deployment, mode), models_free_bytes=_free_bytes(deployment))
    except DiagnosticError as error:
        return Answer(host=name, status=None, diagnostics=tuple(error.diagnostics))


def _free_bytes(deployment: Deployment) -> int | None:
    models = deployment.host.models
    if models is None or deployment.project.docker.is_remote:
        return None
    free = free_gib(Path(models))
    return None if free is None else round(free * (1 << 30))
