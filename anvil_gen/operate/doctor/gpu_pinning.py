"""Measures which GPUs a container sees, with one that has a tier's reservation and only lists them."""

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
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.model import Tier

_SERVICE = "probe"
# Keys that decide which GPUs a container gets; the rest of the service is left out, above all its weights and ports.
_GPU_KEYS = ("deploy", "devices", "device_cgroup_rules", "gpus", "group_add", "privileged", "runtime", "security_opt")
_NO_SUCH_PROGRAM = 127  # exit code of a shell and Docker for a program that is not in the image


def check_pins(context: DoctorContext) -> Iterator[Check]:
    """Start a container for each tier with GPUs, from the tier's image, and compare what it sees with its pins."""
    tiers = [required.tier for required in context.requirements if required.tier is not None and required.tier.gpus]
    if not tiers or not context.docker_info.is_available:
        return
    project = context.deployment.project
    try:
        config = project.services(context.mode.root_file)
    except (DiagnosticError, FileNotFoundError) as error:
        why = error.diagnostics[0].detail if isinstance(error, DiagnosticError) else "nothing is rendered"
        detail = f"Compose cannot read the files: {why}"
        yield _unmeasured("GPU pinning", detail, with_commands("render them", context.deployment.host.command))
        return
    try:
        for tier in tiers:
            yield _measure(context, tier, config)
    finally:
        _clean_up(context)


def _clean_up(context: DoctorContext) -> None:
    """Remove containers that an interrupt, now or in an earlier run, has left behind."""
    left = context.docker.run("ps", "--all", "--quiet", *of_project(_project_name(context))).stdout.split()
    if left:
        context.docker.run("rm", "--force", *left)


def _project_name(context: DoctorContext) -> str:
    return f"{context.deployment.project.name}-pin-proof"


def _unmeasured(what: str, detail: str, remedy: str) -> Check:
    return failed(what, "gpu-pinning-was-not-measured", detail, remedy, severity="warning")


class _Case(Struct, frozen=True, kw_only=True):
    """A tier whose pins are measured: how its vendor's GPUs are listed, and its service as Compose reads it."""

    context: Any
    tier: Tier
    data: Vendor
    probe: PinProbe
    service: Mapping[str, Any]

    @property
    def what(self) -> str:
        """The name of the check."""
        return f"GPU pinning of {self.tier.name}"

    def failed_check(self, code: str, detail: str, remedy: str, *, severity: Severity = "error") -> Check:
        """Return the check as failed."""
        at = self.context.place(*self.tier.table, "gpus")
        return failed(self.what, code, detail, remedy, at=at, severity=severity)


def _measure(context: DoctorContext, tier: Tier, config: Mapping[str, Any]) -> Check:
    what, vendor = f"GPU pinning of {tier.name}", str(tier.gpus[0].vendor)
    data, service = context.catalog.vendor(vendor), config["services"].get(tier.service.name)
    if data is None or data.probe is None or service is None:
        detail = f"no known program lists {vendor} GPUs in a container"
        logs = f"anvil-gen logs {context.deployment.stack.host} {tier.name}"
        return _unmeasured(what, detail, with_commands("the engine's log names the GPU that it uses", logs))
    case = _Case(context=context, tier=tier, data=data, probe=data.probe, service=service)
    image = str(service["image"])
    if image not in images_of(context.docker, [image]):
        detail = f"{image} is not on this host yet"
        return _unmeasured(what, detail, with_commands("pull it", context.docker.shell_command("pull", image)))
    # From the tree: Compose reads an `.env` wherever it is run.
    folder = context.deployment.project.folder
    done = context.docker.run(*_arguments(context), text=json.dumps(_project(case)), folder=folder)
    if done.returncode == _NO_SUCH_PROGRAM:
        container = service.get("container_name", f"{context.deployment.project.name}-{tier.service.name}-1")
        exec_command = context.docker.shell_command("exec", container, *case.probe.command)
        detail = f"{image} has no {case.probe.command[0]}"
        return _unmeasured(what, detail, with_commands("run it in the tier's container, while it runs", exec_command))
    if done.returncode != 0:
        return _failed_start(case, done.stderr)
    return _judge(case, [match["uuid"] for match in re.finditer(case.probe.pattern, done.stdout)])


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
    """Return a compose project whose one service has the tier's reservation, and lists the GPUs."""
    first, *rest = case.probe.command
    environment = case.service.get("environment") or {}
    kept = {key: case.service[key] for key in _GPU_KEYS if key in case.service}
    own = {
        "image": case.service["image"],
        "pull_policy": "never",
        "network_mode": "none",
        "entrypoint": [first],
        "command": rest,
        # Of its own environment only the pins: the rest may contain keys.
        "environment": {
            **{name: environment[name] for name in (*_pins(case.data), *_passed(case.data)) if name in environment},
            **case.probe.environment,
        },
    }
    return {"services": {_SERVICE: _escaped({**kept, **own})}}


def _pins(data: Vendor) -> list[str]:
    """Return the variables by which engines are pinned to a vendor's GPUs."""
    tables = (data.environment, *data.platforms.values())
    return [name for table in tables for name, value in table.items() if "{uuids}" in value or "{ids}" in value]


def _passed(data: Vendor) -> list[str]:
    """Return the variables by which a runtime is told the GPUs."""
    return [name for form in data.requests.values() for name in form.environment]


def _escaped(value: Any) -> Any:
    """Return a value of the canonical configuration as a compose file has it: every `$` is literal."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _failed_start(case: _Case, stderr: str) -> Check:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    detail = printable(lines[-1]) if lines else "Docker gave no reason"
    install = case.data.runtime.install if case.data.runtime is not None else {}
    how = install.get(case.context.platform, "").strip()
    return case.failed_check("container-cannot-access-the-gpus", detail, how or "check that the host has the GPUs")


def _judge(case: _Case, seen: list[str]) -> Check:
    names = {_uuid_of(case, gpu): gpu.name for gpu in case.tier.gpus}
    pinned, found = {uuid.casefold() for uuid in names}, {uuid.casefold() for uuid in seen}
    listed, required = ", ".join(_named(names, uuid) for uuid in seen) or "none", ", ".join(names.values())
    # GPUs without UUIDs are numbered from 0 again inside of the container.
    if found == pinned or (all(uuid.isdecimal() for uuid in pinned) and len(found) == len(pinned)):
        return Check(what=case.what, found=f"a container sees {listed} and no other GPU")
    if not found > pinned:
        detail = f"a container that reserves {required} sees: {listed}"
        command = case.data.listing[-1].command if case.data.listing else case.probe.command
        remedy = with_commands("compare with what the host lists", shlex.join(command))
        return case.failed_check("container-sees-other-gpus", detail, remedy)
    detail = f"a container that reserves {required} alone sees: {listed}"
    variable, value = next(iter(_pins(case.data)), ""), ",".join(names)
    if variable and (case.service.get("environment") or {}).get(variable) == value:
        remedy = with_commands(
            f"{variable} pins the engine anyway; while it runs, check which GPU it uses",
            shlex.join(case.data.listing[-1].command[:1] if case.data.listing else case.probe.command),
        )
        return case.failed_check("platform-ignores-gpu-pinning", detail, remedy, severity="warning")
    if not variable:
        remedy = "no known variable pins its engine: give the tier every GPU that it sees"
        return case.failed_check("platform-ignores-gpu-pinning", detail, remedy)
    line = f'environment.{variable} = "{value}"'
    remedy = with_commands(
        f"pin the engine as well: add to {case.context.inventory}", f"[tiers.{case.tier.name}]", line
    )
    return case.failed_check("platform-ignores-gpu-pinning", detail, remedy)


def _uuid_of(case: _Case, gpu: Gpu) -> str:
    """Return the UUID of a GPU; of one by index, what this host lists for it, if it is this host."""
    if gpu.uuid is not None or not case.context.docker_info.local:
        return gpu.device_id
    detected = case.context.listing(gpu.vendor).find(gpu.device_id)
    return detected.uuid if detected is not None else gpu.device_id


def _named(names: Mapping[str, str], uuid: str) -> str:
    name = next((name for known, name in names.items() if known.casefold() == uuid.casefold()), "")
    return f"{name} ({uuid})" if name else uuid
