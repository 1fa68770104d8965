"""Promotes the running trial to a tier of the inventory: computed and checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.deploy.compose_diff import Change, compare
from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.containers import Container
from anvil_gen.operate.added_tier import AddedTier, add_tier, name_diagnostics, ports_in_use
from anvil_gen.operate.experiment.slot import Slot
from anvil_gen.operate.experiment.tier_from_trial import TrialFacts, free_port, tier_of_trial
from anvil_gen.operate.experiment.trial import container_of, drift_of, variables_of_container
from anvil_gen.render.quoting import compose_string
from anvil_gen.resolve.model import Service, Tier
from anvil_gen.resolve.variables_model import VARIABLE_LABEL
from anvil_gen.text.interpolation import fill_variables
from anvil_gen.values import Text


class Promotion(Struct, frozen=True, kw_only=True):
    """An inventory with an additional tier, not yet written.

    ``differences`` are how the tier would run differently from the trial, as changes of the trial's service;
    ``port_of`` is what uses the trial's port in the inventory, if the tier got another one.
    """

    host: str
    added: AddedTier
    differences: tuple[Change, ...]
    port_of: str
    trial_port: int
    standby: bool
    render: str

    @property
    def tier(self) -> Tier:
        """The tier, as it would be."""
        return self.added.tier

    @property
    def table(self) -> Mapping[str, Any]:
        """The tier's table in the inventory."""
        return self.added.table

    @property
    def change(self) -> FileChange:
        """What changes in the inventory."""
        return self.added.change

    def write(self) -> None:
        """Write the inventory.

        Raises:
            DiagnosticError: it has changed in the meantime, or cannot be written.
        """
        self.added.write()


def promotion_of(slot: Slot, name: str, *, standby: bool = False) -> Promotion:
    """Return the promotion of the slot's trial to a tier.

    Raises:
        DiagnosticError: no trial runs as the files define it, or an inventory cannot express it.
    """
    host = slot.deployment.host
    one = container_of(slot)
    diagnostics = [*name_diagnostics(host, name), *_trial_diagnostics(slot, one)]
    if diagnostics or one is None:
        raise DiagnosticError(diagnostics)
    facts, port_of = _trial_facts(slot, one)
    mapped = tier_of_trial(facts, name=name, standby=standby)
    if mapped.diagnostics:
        raise DiagnosticError(mapped.diagnostics)
    added = add_tier(host, name, mapped.table, standby=standby)
    return Promotion(
        host=slot.host,
        added=added,
        differences=tuple(_differences(slot, one, added.tier)),
        port_of=port_of,
        trial_port=int(variables_of_container(one)["PORT"]),
        standby=standby,
        render=host.command,
    )


def _trial_diagnostics(slot: Slot, one: Container | None) -> Iterator[Diagnostic]:
    status = f"to see what is there:\n\n    anvil-gen experiment status {slot.host}"
    pending = slot.deployment.pending
    if one is None:
        remedy = f"start one:\n\n    anvil-gen experiment up {slot.host} MODEL"
        yield Diagnostic(code="no-trial", detail="the slot is empty", remedy=remedy)
    elif not one.running:
        detail = f'its container is in the state "{one.state}", with exit code {one.exit_code}'
        remedy = f"to see why:\n\n    anvil-gen experiment logs {slot.host}"
        yield Diagnostic(code="trial-is-not-running", detail=detail, remedy=remedy)
    elif pending is not None and any(change.path == slot.experiment.root_file for change in pending.files):
        detail = "the slot's file on disk is not what the inventory renders"
        remedy = f"render, and run this again:\n\n    {slot.deployment.host.command}"
        yield Diagnostic(code="files-do-not-match-the-inventory", detail=detail, remedy=remedy)
    else:
        for drift in drift_of(slot, one, variables_of_container(one)):
            if drift.kind != "image":
                yield Diagnostic(code="trial-differs-from-the-slot-file", detail=drift.detail, remedy=status)


def _trial_facts(slot: Slot, one: Container) -> tuple[TrialFacts, str]:
    """Return the facts of a trial, and what uses its port in the inventory, if the tier gets another one."""
    host, experiment = slot.deployment.host, slot.experiment
    variables = variables_of_container(one)
    engine = host.catalog.engine(experiment.engine)
    if engine is None:
        raise LookupError(experiment.engine)
    data = host.collector.document.data
    command = tuple(one.raw["Config"].get("Cmd") or ())
    own = len(experiment.service.shell_words) - 1  # the last one stands for the trial's own arguments
    gpu = slot.gpu_of(variables.get("GPU_UUID", ""))
    port_of_trial, taken = int(variables["PORT"]), ports_in_use(slot.deployment.stack)
    port = free_port(port_of_trial, taken)
    facts = TrialFacts(
        engine_name=experiment.engine,
        engine=engine,
        slot=data.get("experiment", {}),
        defaults=data.get("defaults", {}),
        options={option: experiment.options.get(option) for option in experiment.options},
        image=one.image,
        own=command[:own],
        extra=command[own:],
        model=variables["MODEL"],
        served_name=variables["SERVED_NAME"],
        gpu=gpu.name if gpu is not None else None,
        port=port or port_of_trial,
    )
    return facts, taken.get(port_of_trial, "")


def _differences(slot: Slot, one: Container, tier: Tier) -> Iterator[Change]:
    """Yield how a tier would run differently from the trial."""
    variables = variables_of_container(one)
    trial = _normalize(slot.experiment.service, variables) | {"command": one.raw["Config"].get("Cmd") or []}
    pair = [{"name": "", "services": {tier.name: service}} for service in (trial, _normalize(tier.service, {}))]
    yield from compare(pair[:1], pair[1:])


def _normalize(service: Service, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys that determine an engine's behaviour, with variables filled in."""
    return {
        "image": _text(service.image, variables),
        "entrypoint": list(service.entrypoint),
        "command": [_text(part, variables) for part in service.command],
        "environment": {entry.name: _text(entry.value, variables) for entry in service.environment},
        "labels": {
            name: _text(value, variables) for name, value in service.labels if not name.startswith(VARIABLE_LABEL)
        },
        "ipc": service.ipc,
        "shm_size": service.shm_size,
    }


def _text(text: Text | None, variables: Mapping[str, str]) -> str | None:
    if text is None:
        return None
    return fill_variables(compose_string(text), variables)
