"""The trial in a slot: starting it, and comparing it with the slot's file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.deploy.contained_folder import ContainedFolder
from anvil_gen.deploy.deploy_tree import STATE_FOLDER
from anvil_gen.deploy.lock import FolderLock
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.compose import Project
from anvil_gen.machine.conflicts import name_conflict, taken_ports
from anvil_gen.machine.containers import Container, ContainerQuery, containers_named, images_of
from anvil_gen.machine.ownership import require_own_containers
from anvil_gen.operate.deployment import staleness
from anvil_gen.operate.drift import Drift, ProjectConfig, image_drift
from anvil_gen.operate.experiment.slot import SERVICE, Slot, Trial
from anvil_gen.operate.gpu_usage import GpuUse, gpu_use
from anvil_gen.operate.service_results import Result, results, snapshot
from anvil_gen.resolve.model import Port
from anvil_gen.resolve.variables_model import TRIAL_VARIABLES, VARIABLE_LABEL
from anvil_gen.text.masking import MASK, mask_arguments
from anvil_gen.values import parts_of


class Started(Struct, frozen=True, kw_only=True):
    """What `experiment up` did; ``address`` is empty if nothing is published, ``code`` is Compose's exit code."""

    host: str
    trial: Trial
    result: Result
    address: str
    code: int


class TrialStatus(Struct, frozen=True, kw_only=True):
    """The result of `experiment status`. All but ``host``, ``project`` and ``stale`` is empty without a trial.

    ``variables`` are those that it was started with; ``started_at`` is ISO 8601 in UTC, empty unless it runs.
    """

    host: str
    project: str
    container: str
    variables: Mapping[str, str]
    gpu: str
    port: str
    state: str
    health: str | None
    exit_code: int
    started_at: str
    drift: tuple[Drift, ...]
    stale: Diagnostic | None

    @property
    def drifts(self) -> bool:
        """Tell whether anything differs from the files."""
        return self.stale is not None or bool(self.drift)


def container_of(slot: Slot) -> Container | None:
    """Return the slot's container, running or not.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    return _containers(slot.project).get(SERVICE)


def _containers(project: Project) -> dict[str, Container]:
    found = ContainerQuery(project.docker, project.name).containers()
    return {one.service: one for one in found if one.service and one.project == project.name}


def variables_of_container(one: Container) -> dict[str, str]:
    """Return the variables that a trial was started with; none for a container of another file."""
    labels = one.raw["Config"].get("Labels") or {}
    return {name: labels[label] for name in TRIAL_VARIABLES if (label := f"{VARIABLE_LABEL}{name}") in labels}


def display_flags(variables: Mapping[str, str]) -> str:
    """Return a trial's flags as they are typed after ``--``, without the values of secret ones."""
    try:
        words = shlex.split(variables.get("EXTRA_ARGS", ""))
    except ValueError:  # Compose splits differently, and has accepted it
        return MASK
    return " ".join(word if word == MASK else shlex.quote(word) for word in mask_arguments(words))


def with_variables(slot: Slot, variables: Mapping[str, str]) -> Project:
    """Return the slot's project with the variables of a trial; missing ones are empty."""
    return replace(slot.project, variables={**dict.fromkeys(TRIAL_VARIABLES, ""), **variables})


def use_of_gpu(slot: Slot, trial: Trial) -> GpuUse | None:
    """Return which tiers use a trial's GPU; None without a GPU.

    Raises:
        DiagnosticError: Docker does not answer.
    """
    if trial.gpu is None:
        return None
    return gpu_use(slot.deployment.stack, trial.gpu, snapshot(slot.deployment))


def start(slot: Slot, trial: Trial) -> Started:
    """Start a trial in the slot, replacing the previous one.

    Raises:
        DiagnosticError: its port or its container's name is taken, or Docker does not answer.
    """
    project = with_variables(slot, trial.variables)
    with _exclusive(slot):
        before = _containers(project)
        require_own_containers(project, before.values())
        diagnostics = [*_port_errors(slot, trial, before.get(SERVICE)), *_name_errors(slot, trial)]
        if diagnostics:
            raise DiagnosticError(diagnostics)
        code = project.run_interactive(
            "up", "--detach", root_file=slot.experiment.root_file, stdout=sys.stderr.fileno()
        )
        (result, *_) = results(project, [SERVICE], before, _containers(project))
    address = next((f"{host}:{trial.port}" for host in _hosts(slot)), "")
    return Started(host=slot.host, trial=trial, result=result, address=address, code=code)


def delegate(slot: Slot, arguments: Sequence[str], *, needs_trial: bool = False) -> int:
    """Run a compose command on the slot's project, on this terminal; return its exit code.

    It uses the project's name alone: the slot's file needs variables that only a start sets.

    Raises:
        DiagnosticError: Docker does not answer, or a trial is needed and there is none.
    """
    if container_of(slot) is None and needs_trial:
        detail, remedy = "the slot is empty", f"start one:\n\n    anvil-gen experiment up {slot.host} MODEL"
        raise DiagnosticError([Diagnostic(code="no-trial", detail=detail, remedy=remedy)])
    folder = slot.project.folder if slot.project.folder.is_dir() else None
    return slot.project.docker.run_interactive(*slot.project.arguments(*arguments), folder=folder)


def _hosts(slot: Slot) -> list[str]:
    ports: tuple[Port, ...] = slot.experiment.service.ports
    return [port.host for port in ports]


@contextmanager
def _exclusive(slot: Slot) -> Iterator[None]:
    """Allow one start at a time: two that create the same network leave a project that cannot be started any more."""
    lock = FolderLock(ContainedFolder(slot.project.folder), f"{STATE_FOLDER}/slot.lock", b"")
    with suppress(OSError):  # a tree that cannot be written to has no lock
        lock.acquire()
    try:
        yield
    finally:
        lock.release_unused()


def _name_errors(slot: Slot, trial: Trial) -> Iterator[Diagnostic]:
    """Yield an error if another container than the slot's has the trial's name."""
    if slot.experiment.service.container_name is None:
        return
    written = parts_of(slot.experiment.service.container_name)
    name = "".join(part if isinstance(part, str) else trial.variables[part.name] for part in written)
    for other in containers_named(slot.project.docker, [name]):
        if (other.project, other.service) != (slot.project.name, SERVICE):
            conflict = name_conflict(slot.project.docker, other)
            yield Diagnostic(
                code="container-name-is-taken",
                detail=conflict.detail,
                remedy=f"remove it, and run this again:\n\n    {conflict.command}",
            )


def _port_errors(slot: Slot, trial: Trial, present: Container | None) -> Iterator[Diagnostic]:
    own = {port for _, port in present.published} if present is not None and present.running else set()
    if trial.port in own or slot.project.docker.is_remote:
        return
    for conflict in taken_ports(slot.project.docker, [(host, trial.port) for host in _hosts(slot)]):
        remedy = f"choose another one with --port, or free it:\n\n    {conflict.command}"
        yield Diagnostic(code="port-is-taken", detail=conflict.detail, remedy=remedy)


def status_of_trial(slot: Slot) -> TrialStatus:
    """Return what is in the slot, and how it differs from the slot's file.

    Raises:
        DiagnosticError: Docker does not answer, or Compose refuses the file.
    """
    one = container_of(slot)
    variables = variables_of_container(one) if one is not None else {}
    gpu = slot.gpu_of(variables.get("GPU_UUID", ""))
    return TrialStatus(
        host=slot.host,
        project=slot.project.name,
        container=one.name if one is not None else "",
        variables=variables,
        gpu=gpu.name if gpu is not None else variables.get("GPU_UUID", ""),
        port=", ".join(f"{host}:{port}" for host, port in one.published) if one is not None else "",
        state=one.state if one is not None else "",
        health=one.health if one is not None and one.running else None,
        exit_code=one.exit_code if one is not None else 0,
        started_at=one.started_at if one is not None and one.running else "",
        drift=tuple(drift_of(slot, one, variables)) if one is not None else (),
        stale=staleness(slot.deployment),
    )


def restart_command(slot: Slot, variables: Mapping[str, str]) -> str:
    """Return the command that starts a trial again as it was started."""
    words = ["anvil-gen", "experiment", "up", slot.host, variables.get("MODEL", "MODEL")]
    gpu = slot.gpu_of(variables.get("GPU_UUID", ""))
    given = {
        "gpu": gpu.name if gpu else None,
        "port": variables.get("PORT"),
        "served-name": variables.get("SERVED_NAME"),
    }
    words += [word for name, value in given.items() if value for word in (f"--{name}", value)]
    extra = display_flags(variables)
    return f"{shlex.join(words)}{f' -- {extra}' if extra else ''}"


def drift_of(slot: Slot, one: Container, variables: Mapping[str, str]) -> Iterator[Drift]:
    """Yield how a trial's container differs from the slot's file with its variables.

    Raises:
        DiagnosticError: Compose refuses the file.
    """
    project, file = with_variables(slot, variables), slot.experiment.root_file
    start_again = restart_command(slot, variables)
    if not variables.get("MODEL"):
        yield Drift(
            kind="foreign",
            detail="it was not created from the slot's file",
            remedy=project.docker.shell_command("rm", "--force", one.name),
        )
    elif (project.folder / file).is_file() and project.hashes(file).get(SERVICE) != one.config_hash:
        yield replace(ProjectConfig(project, file).drift_of(SERVICE, one), remedy=start_again)
    moved = image_drift(one, images_of(project.docker, [one.image]))
    if moved is not None:
        yield replace(moved, remedy=start_again)
