"""Which cards a container really sees: measured by one that has a tier's own reservation, and only lists them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.gpu_vendor import PinProbe, Vendor
from anvil_gen.diagnostics import DiagnosticError, Severity, printable
from anvil_gen.machine.containers import images_of, of_project
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.resolve.model import Gpu, Tier

_SERVICE = "probe"
# What decides which cards a container gets; the rest of the service is left out, its weights and ports above all.
_RESERVING = ("deploy", "devices", "device_cgroup_rules", "gpus", "group_add", "privileged", "runtime", "security_opt")
_NOT_THERE = 127  # how a shell and Docker tell of a program that is not in the image


def check_pins(context: DoctorContext) -> Iterator[Check]:
    """Start a container for each tier with cards, from the tier's image, and compare what it sees with its pins."""
    tiers = [required.tier for required in context.requirements if required.tier is not None and required.tier.gpus]
    if not tiers or not context.docker_info.answers:
        return
    project = context.deployment.project
    try:
        config = project.services(context.mode.root_file)
    except (DiagnosticError, FileNotFoundError) as error:
        why = error.diagnostics[0].detail if isinstance(error, DiagnosticError) else "nothing is rendered"
        detail = f"Compose cannot read the files: {why}"
        yield _unmeasured("pins", detail, with_commands("render them", context.deployment.resolved.command))
        return
    try:
        for tier in tiers:
            yield _proof(context, tier, config)
    finally:
        _sweep(context)


def _sweep(context: DoctorContext) -> None:
    """Remove what an interrupt, now or in an earlier run, has kept from being removed by itself."""
    left = context.docker.run("ps", "--all", "--quiet", *of_project(_project_name(context))).stdout.split()
    if left:
        context.docker.run("rm", "--force", *left)


def _project_name(context: DoctorContext) -> str:
    return f"{context.deployment.project.name}-pin-proof"


def _unmeasured(what: str, detail: str, remedy: str) -> Check:
    return failed(what, "pins were not measured", detail, remedy, severity="warning")


class _Case(Struct, frozen=True, kw_only=True):
    """A tier whose pins are measured: how its vendor's cards are listed, and its service as Compose reads it."""

    context: Any
    tier: Tier
    data: Vendor
    probe: PinProbe
    service: Mapping[str, Any]

    @property
    def what(self) -> str:
        """How a check of it is called."""
        return f"pins of {self.tier.name}"

    def wrong(self, summary: str, detail: str, remedy: str, *, severity: Severity = "error") -> Check:
        """Return a check of it that did not pass."""
        at = self.context.place("tiers", self.tier.name, "gpus")
        return failed(self.what, summary, detail, remedy, at=at, severity=severity)


def _proof(context: DoctorContext, tier: Tier, config: Mapping[str, Any]) -> Check:
    what, vendor = f"pins of {tier.name}", str(tier.gpus[0].vendor)
    data, service = context.catalog.vendor(vendor), config["services"].get(tier.service.name)
    if data is None or data.probe is None or service is None:
        detail = f"no program is known that lists {vendor} cards in a container"
        logs = f"anvil-gen logs {context.deployment.stack.host} {tier.name}"
        return _unmeasured(what, detail, with_commands("the engine's log names the card that it runs on", logs))
    case = _Case(context=context, tier=tier, data=data, probe=data.probe, service=service)
    image = str(service["image"])
    if image not in images_of(context.docker, [image]):
        detail = f"{image} is not on this machine yet"
        return _unmeasured(what, detail, with_commands("pull it", context.docker.typed("pull", image)))
    # From the tree: Compose reads an `.env` wherever it is run.
    folder = context.deployment.project.folder
    done = context.docker.run(*_arguments(context), text=json.dumps(_project(case)), folder=folder)
    if done.returncode == _NOT_THERE:
        by_hand = context.docker.typed("exec", str(tier.service.container_name), *case.probe.command)
        detail = f"{image} has no {case.probe.command[0]}"
        return _unmeasured(what, detail, with_commands("ask the tier itself, while it runs", by_hand))
    if done.returncode != 0:
        return _refused(case, done.stderr)
    return _judged(case, [match["uuid"] for match in re.finditer(case.probe.pattern, done.stdout)])


def _arguments(context: DoctorContext) -> list[str]:
    return [
        "compose",
        "--project-name",
        _project_name(context),
        "--file",
        "-",
        "run",
        "--rm",
        "--no-deps",
        "-T",
        _SERVICE,
    ]


def _project(case: _Case) -> dict[str, Any]:
    """Return a compose project whose one service has the tier's reservation, and lists the cards."""
    first, *rest = case.probe.command
    said = case.service.get("environment") or {}
    kept = {key: case.service[key] for key in _RESERVING if key in case.service}
    own = {
        "image": case.service["image"],
        "pull_policy": "never",
        "network_mode": "none",
        "entrypoint": [first],
        "command": rest,
        # Of its own environment only what pins: the rest may hold keys.
        "environment": {**{name: said[name] for name in _pins(case.data) if name in said}, **case.probe.environment},
    }
    return {"services": {_SERVICE: _escaped({**kept, **own})}}


def _pins(data: Vendor) -> list[str]:
    """Return the variables by which engines are pinned to a vendor's cards."""
    tables = (data.environment, *data.platforms.values())
    return [name for table in tables for name, value in table.items() if "{uuids}" in value]


def _escaped(value: Any) -> Any:
    """Return a value of the canonical configuration as a compose file has it: every `$` is literal."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _refused(case: _Case, stderr: str) -> Check:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    detail = printable(lines[-1]) if lines else "Docker did not say why"
    install = case.data.runtime.install if case.data.runtime is not None else {}
    how = install.get(case.context.platform, "").strip()
    return case.wrong("a container cannot have the cards", detail, how or "see that the machine has the cards")


def _judged(case: _Case, seen: list[str]) -> Check:
    gpus = case.tier.gpus
    pinned, found = {gpu.uuid.casefold() for gpu in gpus}, {uuid.casefold() for uuid in seen}
    told, required = ", ".join(_named(gpus, uuid) for uuid in seen) or "none", ", ".join(gpu.name for gpu in gpus)
    # Cards without UUIDs are numbered from 0 again inside of the container.
    if found == pinned or (all(uuid.isdecimal() for uuid in pinned) and len(found) == len(pinned)):
        return Check(what=case.what, found=f"a container sees {told}, and no other card")
    if not found > pinned:
        detail = f"a container that reserves {required} sees: {told}"
        listed = case.data.listing[-1].command if case.data.listing else case.probe.command
        remedy = with_commands("compare with what the machine lists", shlex.join(listed))
        return case.wrong("a container sees other cards", detail, remedy)
    detail = f"a container that reserves {required} alone sees: {told}"
    variable, value = next(iter(_pins(case.data)), ""), ",".join(gpu.uuid for gpu in gpus)
    if variable and (case.service.get("environment") or {}).get(variable) == value:
        remedy = with_commands(
            f"{variable} pins the engine all the same; while it runs, see which card it is on",
            shlex.join(case.data.listing[-1].command[:1] if case.data.listing else case.probe.command),
        )
        return case.wrong("this platform ignores pins", detail, remedy, severity="warning")
    if not variable:
        remedy = "no variable is known that pins its engine: give the tier every card that it sees"
        return case.wrong("this platform ignores pins", detail, remedy)
    line = f'environment.{variable} = "{value}"'
    remedy = with_commands(
        f"pin the engine too: write into {case.context.inventory}", f"[tiers.{case.tier.name}]", line
    )
    return case.wrong("this platform ignores pins", detail, remedy)


def _named(gpus: tuple[Gpu, ...], uuid: str) -> str:
    name = next((gpu.name for gpu in gpus if gpu.uuid.casefold() == uuid.casefold()), "")
    return f"{name} ({uuid})" if name else uuid
