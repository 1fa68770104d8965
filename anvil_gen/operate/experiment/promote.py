"""Promotes the running trial to a tier of the inventory: computed and checked before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.deploy.atomic_write import replace_file
from anvil_gen.deploy.compose_diff import Change, compare
from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path, printable
from anvil_gen.inventory.edit import tier_section, with_tier
from anvil_gen.inventory.fields import NAME_LENGTH, NAME_PATTERN
from anvil_gen.machine.containers import Container
from anvil_gen.operate.experiment.slot import Slot
from anvil_gen.operate.experiment.tier_from_trial import TrialFacts, free_port, tier_of_trial
from anvil_gen.operate.experiment.trial import container_of, drift_of, variables_of_container
from anvil_gen.render.quoting import compose_string
from anvil_gen.resolve.compose_keys import published_ports
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Service, Stack, Tier
from anvil_gen.resolve.variables_model import VARIABLE_LABEL
from anvil_gen.text.interpolation import fill_variables
from anvil_gen.values import Text

_SHARING = ("gpu-shared-without-shares", "shares-above-the-whole-gpu")


class Promotion(Struct, frozen=True, kw_only=True):
    """An inventory with an additional tier, not yet written.

    ``differences`` are how the tier would run differently from the trial, as changes of the trial's service;
    ``port_of`` is what uses the trial's port in the inventory, if the tier got another one.
    """

    host: str
    tier: Tier
    table: Mapping[str, Any]
    change: FileChange
    differences: tuple[Change, ...]
    port_of: str
    trial_port: int
    standby: bool
    render: str
    _before: bytes
    _after: bytes
    _host: Host

    def write(self) -> None:
        """Write the inventory.

        Raises:
            DiagnosticError: it has changed in the meantime, or cannot be written.
        """
        replace_file(self._host.path, self._before, self._after)


def promotion_of(slot: Slot, name: str, *, standby: bool = False) -> Promotion:
    """Return the promotion of the slot's trial to a tier.

    Raises:
        DiagnosticError: no trial runs as the files define it, or an inventory cannot express it.
    """
    host = slot.deployment.host
    one = container_of(slot)
    diagnostics = [*_name_diagnostics(slot, name), *_trial_diagnostics(slot, one)]
    if diagnostics or one is None:
        raise DiagnosticError(diagnostics)
    before = host.path.read_bytes()
    text = before.decode("utf-8")
    facts, port_of = _trial_facts(slot, one)
    mapped = tier_of_trial(facts, name=name, standby=standby)
    if mapped.diagnostics:
        raise DiagnosticError(mapped.diagnostics)
    after = with_tier(text, name, mapped.table)
    if after is None:
        raise DiagnosticError([_cannot_add(host, name, mapped.table)])
    stack = _resolve_edited(host, after, name, standby=standby)
    tier = next(tier for tier in stack.tiers if tier.name == name)
    path = display_path(host.path)
    return Promotion(
        host=slot.host,
        tier=tier,
        table=mapped.table,
        change=FileChange(path=path, action="update", before=_lines(text), after=_lines(after)),
        differences=tuple(_differences(slot, one, tier)),
        port_of=port_of,
        trial_port=int(variables_of_container(one)["PORT"]),
        standby=standby,
        render=host.command,
        _before=before,
        _after=after.encode("utf-8"),
        _host=host,
    )


def _lines(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _name_diagnostics(slot: Slot, name: str) -> Iterator[Diagnostic]:
    host = slot.deployment.host
    if not re.search(NAME_PATTERN, name) or len(name) > NAME_LENGTH:
        detail = f'"{printable(name)}": a tier name is also a file name: lower-case letters, digits, "-", "_", "."'
        yield Diagnostic(code="invalid-name", detail=detail, remedy="write another name")
    elif any(tier.name == name for tier in slot.deployment.stack.tiers):
        yield Diagnostic(
            code="tier-exists",
            detail=f'"{name}" is a tier of {slot.host} already',
            remedy="write another name, or remove that tier from the inventory first",
            location=Location(file=display_path(host.path)),
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
    port_of_trial, taken = int(variables["PORT"]), _ports(slot.deployment.stack)
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


def _ports(stack: Stack) -> dict[int, str]:
    """Return the ports that an inventory assigns, each with what uses it."""
    taken = {tier.port: f'the tier "{tier.name}"' for tier in stack.tiers}
    if stack.router is not None:
        taken[stack.router.port] = "the router"
    if stack.experiment is not None:
        taken[stack.experiment.port] = "the slot"
    for extra in stack.services:
        taken |= {port: f'the service "{extra.name}"' for _, _, port in published_ports(extra.mapping.get("ports"))}
    return taken


def _cannot_add(host: Host, name: str, table: Mapping[str, Any]) -> Diagnostic:
    section = "\n".join(f"    {line}" for line in tier_section(name, table).splitlines())
    return Diagnostic(
        code="tier-cannot-be-added-to-the-inventory",
        detail="its tiers are written in such a way that adding one would change existing lines",
        remedy=f"add the tier manually:\n\n{section}",
        location=Location(file=display_path(host.path)),
    )


def _resolve_edited(host: Host, text: str, name: str, *, standby: bool) -> Stack:
    """Return what an edited inventory resolves to.

    Raises:
        DiagnosticError: with the errors that it would have.
    """
    try:
        return Host(host.path, host.catalog, text=text.removeprefix("\ufeff")).stack
    except DiagnosticError as error:
        shares = any(diagnostic.code in _SHARING for diagnostic in error.diagnostics) and not standby
        remedy = "use --standby to keep the tier out of the default mode, and add it to another mode"
        note = Diagnostic(
            code="nothing-was-written",
            detail=f'the lines above refer to the inventory with the tier "{name}" added',
            remedy=remedy if shares else "",
        )
        raise DiagnosticError([*error.diagnostics, note]) from None


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
