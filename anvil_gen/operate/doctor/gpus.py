"""Checks that the GPUs of an inventory are in the machine, and that containers can access them."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.catalog.gpu_vendor import Runtime, Vendor
from anvil_gen.machine.gpus import DetectedGpu, GpuListing
from anvil_gen.operate.doctor.check import Check, Place, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.resolve.gpu_model import Gpu

NONE_LISTED = "no-gpu-is-listed"
_TOLERANCE = 0.02
"""Drivers reserve a varying part of a GPU's memory."""
_DESKTOP = "Docker Desktop"  # the operating system that it reports


def required_gpus(context: DoctorContext, *, every: bool = False) -> dict[str, list[Gpu]]:
    """Return the GPUs of the checked tiers, or ``every`` one of the inventory, by vendor."""
    tiers = [required.tier for required in context.requirements if required.tier is not None]
    held = [gpu.name for tier in tiers for gpu in tier.gpus]
    found: dict[str, list[Gpu]] = {}
    for gpu in context.deployment.stack.gpus:
        if every or gpu.name in held:
            found.setdefault(str(gpu.vendor), []).append(gpu)
    for tier in tiers:
        if tier.gpu_request is not None:
            found.setdefault(tier.gpu_request.vendor, [])
    return found


def unnamed_gpus(context: DoctorContext) -> list[str]:
    """Return the checked tiers that name none of their GPUs, so that nothing can be checked of these."""
    tiers = [required.tier for required in context.requirements if required.tier is not None]
    return [tier.name for tier in tiers if tier.gpu_request is not None and tier.gpu_request.count is not None]


def check_gpus(context: DoctorContext, *, every: bool = False, measured: bool = False) -> Iterator[Check]:
    """Look for each GPU by its UUID, and compare what it reports with the inventory.

    ``every``: all GPUs of the inventory, not only those of the checked tiers. ``measured``: a container has accessed
    its GPUs, so that they exist even if this machine lists none.
    """
    if not context.docker_info.local:
        return
    for vendor, gpus in required_gpus(context, every=every).items():
        data, listing = context.catalog.vendor(vendor), context.listing(vendor)
        if data is None:
            continue
        if not listing.gpus:
            yield _none_listed(context, data, listing, measured=measured)
            continue
        seen: dict[str, str] = {}
        for gpu in gpus:
            detected = listing.find(gpu.device_id)
            if detected is None:
                yield _not_found(context, data, gpu, listing)
                continue
            other = seen.setdefault(detected.uuid, gpu.name)
            yield _compare(context, gpu, detected) if other == gpu.name else _same_gpu(context, gpu, other, detected)


def _none_listed(context: DoctorContext, data: Vendor, listing: GpuListing, *, measured: bool) -> Check:
    detail = listing.diagnostic or f"the driver lists no {data.title} GPU on this host"
    if measured:
        remedy = "a container sees them: put the driver's programs on the PATH, so that they can be compared here"
        return failed(f"{data.title} GPUs", NONE_LISTED, detail, remedy, severity="warning")
    remedy = data.driver.get(context.platform or "linux", "").strip()
    return failed(f"{data.title} GPUs", NONE_LISTED, detail, remedy or "load the driver")


def _not_found(context: DoctorContext, data: Vendor, gpu: Gpu, listing: GpuListing) -> Check:
    others = "".join(f"\n    {detected.uuid}  {detected.name}".rstrip() for detected in listing.gpus)
    detail = f"this host has no {data.title} GPU {gpu.device_id}; it has:\n{others}\n"
    used = [listing.find(other.device_id) for other in context.deployment.stack.gpus if other.vendor == gpu.vendor]
    left = [detected.uuid for detected in listing.gpus if detected not in used]
    lines = [f"[gpus.{gpu.name}]", f'uuid = "{left[0] if len(left) == 1 else "..."}"']
    remedy = with_commands(f"set the right one in {context.inventory}", *lines)
    return failed(f"GPU {gpu.name}", "gpu-not-found", detail, remedy, at=_place(context, gpu))


def _same_gpu(context: DoctorContext, gpu: Gpu, other: str, detected: DetectedGpu) -> Check:
    detail = f'index {detected.index} and {detected.uuid} are one GPU, and "{other}" is it already'
    remedy = f"write another GPU of this host, or remove one of the two, in {context.inventory}"
    return failed(f"GPU {gpu.name}", "uuid-taken-twice", detail, remedy, at=_place(context, gpu))


def _place(context: DoctorContext, gpu: Gpu) -> Place:
    return context.place("gpus", gpu.name, "uuid" if gpu.uuid is not None else "index")


def _compare(context: DoctorContext, gpu: Gpu, detected: DetectedGpu) -> Check:
    what = f"GPU {gpu.name}"
    by_index = f"index {gpu.index} is now {detected.uuid}" if gpu.uuid is None else ""
    parts = (detected.name, _memory(detected), _capability(detected), _driver(detected), by_index)
    description = ", ".join(part for part in parts if part)
    stated, real = gpu.memory_mib, detected.memory_mib
    if stated is not None and real is not None and abs(stated - real) > _TOLERANCE * real:
        detail = f"the inventory says {stated} MiB, but the GPU has {real} MiB"
        remedy = with_commands(f"set in {context.inventory}", f"[gpus.{gpu.name}]", f"memory_mib = {real}")
        return failed(
            what, "memory-differs-from-the-inventory", detail, remedy, at=context.place("gpus", gpu.name, "memory_mib")
        )
    ability = gpu.compute_capability
    if ability is not None and detected.compute_capability and ability != detected.compute_capability:
        detail = f"the inventory says {ability}, but the GPU has {detected.compute_capability}"
        line = f'compute_capability = "{detected.compute_capability}"'
        remedy = with_commands(f"set in {context.inventory}", f"[gpus.{gpu.name}]", line)
        at = context.place("gpus", gpu.name, "compute_capability")
        return failed(what, "compute-capability-differs-from-the-inventory", detail, remedy, at=at)
    return Check(what=what, found=description)


def _needed(context: DoctorContext, data: Vendor | None) -> Runtime | None:
    """Return what lets a container have the GPUs, by the way in which it asks for them."""
    if data is None:
        return None
    forms = {str(name): form for name, form in data.requests.items()}
    form = forms.get(context.deployment.host.options.gpu_request)
    return form.needs if form is not None and form.needs is not None else data.runtime


def _memory(detected: DetectedGpu) -> str:
    return (
        f"{detected.memory_mib} MiB"
        if detected.memory_mib is not None
        else "memory shared with the CPU, or not reported"
    )


def _capability(detected: DetectedGpu) -> str:
    return f"compute capability {detected.compute_capability}" if detected.compute_capability else ""


def _driver(detected: DetectedGpu) -> str:
    return f"driver {detected.driver}" if detected.driver else ""


def check_runtimes(context: DoctorContext, *, measured: bool = False) -> Iterator[Check]:
    """Check what gives containers access to the GPUs of each vendor; ``measured``: one has accessed them."""
    for vendor in required_gpus(context):
        data = context.catalog.vendor(vendor)
        runtime = _needed(context, data)
        if runtime is None or not (context.docker_info.local or context.docker_info.is_available):
            continue
        found = _evidence(context, runtime)
        if found:
            yield Check(what="GPU runtime", found=f"{runtime.title}: {found}")
        elif measured:
            yield Check(what="GPU runtime", found=f"{runtime.title}: a container has accessed its GPUs")
        elif context.docker_info.local:
            remedy = runtime.install.get(context.platform or "linux", "").strip()
            detail = f"the {runtime.title} was not found: {_searched(runtime)}"
            yield failed("GPU runtime", "no-gpu-runtime", detail, remedy or "install it")


def _evidence(context: DoctorContext, runtime: Runtime) -> str:
    """Return what proves that a runtime is installed; empty if nothing does."""
    info = context.docker_info.info
    listed = [name for name in runtime.runtimes if name in (info.get("Runtimes") or {})]
    if listed:
        return f"Docker has the runtime {listed[0]}"
    if runtime.cdi:
        return _cdi_evidence(info, runtime.cdi)
    if runtime.runtimes and info.get("OperatingSystem") == _DESKTOP:
        return f"{_DESKTOP} includes it"
    if not context.docker_info.local:
        return ""
    programs = [path for name in runtime.programs if (path := shutil.which(name)) is not None]
    if programs:
        return programs[0]
    if runtime.runtimes or runtime.programs:
        return ""
    devices = [device for device in runtime.devices if (context.root / device.lstrip("/")).exists()]
    return ", ".join(devices) if len(devices) == len(runtime.devices) else ""


def _cdi_evidence(info: Mapping[str, Any], kind: str) -> str:
    """Return which devices Docker has found, or where an older one looks for them, which does not list any."""
    if "DiscoveredDevices" in info:
        found = [str(device.get("ID")) for device in info["DiscoveredDevices"] or ()]
        return next((f"Docker has found {name}" for name in found if name.startswith(f"{kind}=")), "")
    folders = ", ".join(info.get("CDISpecDirs") or ())
    return f"Docker looks for it in {folders}" if folders else ""


def _searched(runtime: Runtime) -> str:
    if runtime.cdi:
        return f"Docker has no CDI device {runtime.cdi}"
    if runtime.runtimes or runtime.programs:
        names = ", ".join(map(shlex.quote, (*runtime.runtimes, *runtime.programs)))
        return f"no Docker runtime and no program on the PATH is called: {names}"
    return f"some of these devices do not exist: {', '.join(runtime.devices)}"
