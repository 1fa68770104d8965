"""A host's experiment slot, and the variables with which a trial drives its compose file."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.diagnostics import (
    Diagnostic,
    DiagnosticError,
    Location,
    did_you_mean,
    display_path,
    join_words,
    printable,
)
from anvil_gen.inventory.fields import ALIAS_PATTERN, REPO_PATTERN
from anvil_gen.machine.compose import Project
from anvil_gen.operate.deployment import Deployment, open_deployment, staleness
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.model import Experiment
from anvil_gen.text.flags import parse_flags
from anvil_gen.text.masking import literal_secrets
from anvil_gen.values import canonical_flag

SERVICE = "experiment"
"""The slot's only service."""

# Option of the engine -> the argument that sets it for a trial.
_ARGUMENTS = {
    "served_name": "--served-name NAME",
    "port": "--port NUMBER",
    **dict.fromkeys(("model", "model.path", "model.repo", "model.file"), "MODEL"),
}


class Slot(Struct, frozen=True, kw_only=True):
    """The slot of one host."""

    deployment: Deployment
    experiment: Experiment

    @property
    def host(self) -> str:
        """The host's name."""
        return self.deployment.stack.host

    @property
    def project(self) -> Project:
        """The slot's project, without the variables of a trial."""
        return replace(self.deployment.project, name=self.experiment.project)

    @property
    def gpu(self) -> Gpu | None:
        """The default GPU of a trial."""
        name = self.experiment.options.gpu
        return next((gpu for gpu in self.deployment.stack.gpus if gpu.name == name), None)

    def gpu_of(self, device_id: str) -> Gpu | None:
        """Return the inventory's GPU with a UUID or an index; None if there is none."""
        return next((gpu for gpu in self.deployment.stack.gpus if gpu.device_id == device_id), None)


class Request(Struct, frozen=True, kw_only=True):
    """A requested trial; None stands for the slot's default. ``flags`` are arguments of the engine."""

    model: str
    gpu: str | None = None
    port: int | None = None
    served_name: str | None = None
    flags: tuple[str, ...] = ()


class Trial(Struct, frozen=True, kw_only=True):
    """A trial that the slot can run: a request with its defaults filled in."""

    model: str
    served_name: str
    port: int
    gpu: Gpu | None
    flags: tuple[str, ...]

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the slot's compose file: all of them, so that none comes from the shell or `.env`."""
        return {
            "MODEL": self.model,
            "SERVED_NAME": self.served_name,
            "PORT": str(self.port),
            "GPU_UUID": self.gpu.device_id if self.gpu is not None else "",
            "EXTRA_ARGS": shlex.join(self.flags),
        }


def open_slot(host: str, here: Path) -> Slot:
    """Return the slot of the host that a name or a path refers to.

    Raises:
        DiagnosticError: there is no such host, its inventory has errors, or it has no slot.
    """
    deployment = open_deployment(host, here)
    _ = deployment.pending  # what is in the way there is reported before Docker is asked
    experiment = deployment.stack.experiment
    if experiment is None:
        raise DiagnosticError(
            [
                Diagnostic(
                    code="no-experiment-slot",
                    detail=f"{deployment.stack.host} has no table [experiment]",
                    remedy='add one with an "engine", and a "gpu" if the host has GPUs: docs/inventory.md',
                    location=Location(file=display_path(deployment.host.path)),
                )
            ]
        )
    return Slot(deployment=deployment, experiment=experiment)


def require_current(slot: Slot) -> Diagnostic | None:
    """Return a warning if the files were rendered by another version.

    Raises:
        DiagnosticError: the files on disk do not match the inventory.
    """
    diagnostic = staleness(slot.deployment, then="run this again")
    if diagnostic is not None and diagnostic.severity == "error":
        raise DiagnosticError([diagnostic])
    return diagnostic


def trial_of(slot: Slot, request: Request) -> Trial:
    """Return the trial that a request describes.

    Raises:
        DiagnosticError: with everything that is wrong in the request.
    """
    diagnostics = [
        *_model_diagnostics(slot, request.model),
        *_name_diagnostics(request.served_name),
        *_flag_diagnostics(slot, request),
    ]
    gpu = slot.gpu
    if request.gpu is not None:
        gpu = next((gpu for gpu in slot.deployment.stack.gpus if gpu.name == request.gpu), None)
        diagnostics += _gpu_diagnostics(slot, request.gpu, gpu)
    if diagnostics:
        raise DiagnosticError(diagnostics)
    return Trial(
        model=request.model,
        served_name=request.served_name or slot.experiment.options.served_name,
        port=request.port or slot.experiment.port,
        gpu=gpu,
        flags=request.flags,
    )


def _model_diagnostics(slot: Slot, model: str) -> Iterator[Diagnostic]:
    code = "not-a-model-of-the-hub"
    local = slot.deployment.host.models
    if re.search(REPO_PATTERN, model) and ("/" in model or local is None or not _exists(Path(local, model))):
        return
    if not model:
        yield Diagnostic(code=code, detail="MODEL is empty", remedy='name a repository, like "openai/gpt-oss-20b"')
    elif re.match(r"[./\\~]|[A-Za-z]:[/\\]", model) or "\\" in model or re.search(REPO_PATTERN, model):
        detail = f'"{printable(model)}" is a local path: the slot mounts the Hugging Face cache, not a model folder'
        remedy = 'give the folder a tier of its own, with "standby = true", and add it to a mode'
        yield Diagnostic(code=code, detail=detail, remedy=remedy)
    else:
        detail = f'"{printable(model)}" is not a repository name: letters, digits, ".", "_", "-" and "/"'
        flags = f"; engine flags go after --:\n\n    anvil-gen experiment up {slot.host} MODEL -- --flag"
        remedy = f'write it like "openai/gpt-oss-20b"{flags if model.startswith("-") else ""}'
        yield Diagnostic(code=code, detail=detail, remedy=remedy)


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  `Path.exists` raises for a name that is too long


def _name_diagnostics(name: str | None) -> Iterator[Diagnostic]:
    # Compose splits the slot's command like a shell, where these two are special inside quotes.
    if name is not None and (not re.search(ALIAS_PATTERN, name) or set(name) & {'"', "\\"}):
        detail = f'"{printable(name)}": a model name is not empty, and holds no space, double quote or backslash'
        yield Diagnostic(code="invalid-name", detail=detail, remedy="write another --served-name")


def _gpu_diagnostics(slot: Slot, name: str, gpu: Gpu | None) -> Iterator[Diagnostic]:
    own, known = slot.gpu, [gpu.name for gpu in slot.deployment.stack.gpus]
    if gpu is None:
        defined = join_words(known) or "none"
        detail = f'"{printable(name)}" is not defined in [gpus] (defined: {defined})'
        yield Diagnostic(code="unknown-gpu", detail=detail, remedy=did_you_mean(name, known) or "name one of them")
    elif own is None:
        detail = f'the slot of {slot.host} reserves no GPU, so "{name}" would not reach its container'
        yield Diagnostic(code="slot-has-no-gpu", detail=detail, remedy=f'set gpu = "{name}" in [experiment]')
    elif gpu.vendor != own.vendor:
        detail = f'"{name}" is of vendor "{gpu.vendor}", and the slot reserves GPUs of "{own.vendor}"'
        remedy = f'set gpu = "{name}" in [experiment], with an engine and image for it'
        yield Diagnostic(code="gpu-of-another-vendor", detail=detail, remedy=remedy)


def _flag_diagnostics(slot: Slot, request: Request) -> Iterator[Diagnostic]:
    flags = request.flags
    if flags and not flags[0].startswith("-"):
        detail = f'"{printable(flags[0])}" is in the place of the engine\'s first flag'
        yield Diagnostic(code="not-a-flag", detail=detail, remedy="flags start with a dash; a trial takes one MODEL")
    for path in literal_secrets(list(flags)):
        detail = f"argument {int(path[0]) + 1}: the container's labels would hold it, and the shell's history does"
        remedy = 'give the engine a variable instead: environment.NAME = { env = "NAME" } in [experiment], NAME in .env'
        yield Diagnostic(code="secret-in-the-arguments", detail=detail, remedy=remedy)
    for flag in _flags_of(slot, flags):
        option = slot_fields(slot).get(canonical_flag(flag))
        if option in _ARGUMENTS:
            detail = f'"--{flag}" is set by the slot: the engine would get it twice'
            remedy = f"set it before the --:\n\n    anvil-gen experiment up {slot.host} … {_ARGUMENTS[option]}"
            yield Diagnostic(code="flag-is-set-by-the-slot", detail=detail, remedy=remedy)


def _flags_of(slot: Slot, words: tuple[str, ...]) -> Iterator[str]:
    """Yield the names of long flags; short ones are not checked."""
    yield from (flag.removeprefix("--") for flag, _ in parse_flags(words) if flag.startswith("--"))


def slot_fields(slot: Slot) -> dict[str, str]:
    """Return the engine's flags by their canonical names, with the option that each sets."""
    engine = slot.deployment.host.catalog.engine(slot.experiment.engine)
    return engine.flag_fields if engine is not None else {}
