"""Checks the disk space for what is still to be downloaded: images, and weights from the Hugging Face Hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from anvil_gen.host_paths import local_path
from anvil_gen.machine.containers import images_of
from anvil_gen.machine.system import device_of, free_gib
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.requirements import BindMount, Requirements
from anvil_gen.resolve.model import Tier
from anvil_gen.resolve.model_source import kinds_of

_IMAGE_GIB = 5.0
"""The size of an image whose engine does not state it."""
_BUILT_GIB = 1.0


class _Need(Struct, frozen=True, kw_only=True):
    """Disk space that is needed in a folder, in GiB."""

    folder: Path
    gib: float
    description: str


def check_disk(context: DoctorContext) -> Iterator[Check]:
    """Compare the free space of each disk with what will be written there at most.

    A disk of another machine, or of Docker Desktop's virtual machine, is not seen from here.
    """
    if not context.docker_info.local or not context.docker_info.is_available:
        return
    by_disk: dict[int | None, list[_Need]] = {}
    for need in _needs(context):
        by_disk.setdefault(device_of(need.folder), []).append(need)
    for needs in by_disk.values():
        folder, gib = needs[0].folder, sum(need.gib for need in needs)
        free = free_gib(folder)
        if free is None:
            continue
        found = f"{free:.0f} GiB free at {folder}"
        if free >= gib:
            yield Check(what="disk", found=found)
            continue
        needed = " and ".join(need.description for need in needs if need.gib)
        remedy = with_commands(
            "free disk space; neither command removes an image that a container uses",
            context.docker.shell_command("image", "prune", "--all"),
            context.docker.shell_command("builder", "prune"),
        )
        yield failed("disk", "low-disk-space", f"{found}; still needed: {needed}", remedy, severity="warning")


def _needs(context: DoctorContext) -> Iterator[_Need]:
    folder = str(context.docker_info.info.get("DockerRootDir") or "")
    root = context.root / folder.lstrip("/")
    is_seen = folder != "" and root.is_dir()
    if is_seen:
        gib = sum(_image_gib(context, required) for required in _missing_images(context))
        yield _Need(folder=root, gib=gib, description=f"{gib:.0f} GiB for images")
    volumes = set(context.docker.run("volume", "ls", "--quiet").stdout.split())
    for required in context.requirements:
        gib = _weights_gib(required.tier) if required.tier is not None else 0.0
        description = f"up to {gib:.0f} GiB for the weights of {required.name}"
        volume = _cache_volume(context, required)
        if gib and is_seen and volume and volume not in volumes:  # the contents of an existing volume are not known
            yield _Need(folder=root, gib=gib, description=description)
        for bind in required.binds if gib else ():
            cache = local_path(bind.source, system=context.system, root=context.root)
            if cache is not None and _is_cache(context, required, bind) and not _has_weights(cache, required):
                yield _Need(folder=cache, gib=gib, description=description)


def _missing_images(context: DoctorContext) -> list[Requirements]:
    existing = images_of(context.docker, [required.image for required in context.storage_requirements])
    return list(
        {
            required.image: required for required in context.storage_requirements if required.image not in existing
        }.values()
    )


def _image_gib(context: DoctorContext, required: Requirements) -> float:
    engine = context.catalog.engine(required.engine)
    return engine.image_gib if engine is not None else _BUILT_GIB if required.built else _IMAGE_GIB


def _weights_gib(tier: Tier) -> float:
    """Return the maximum size of a tier's weights from the Hugging Face Hub: they fit onto its GPUs."""
    from_hub = not {"repo", "repos"}.isdisjoint(kinds_of(tier.options.model))
    return sum(gpu.memory_mib or 0 for gpu in tier.gpus) / 1024 if from_hub else 0.0


def _cache_volume(context: DoctorContext, required: Requirements) -> str:
    """Return the volume that a service has its cache of the Hugging Face Hub in; empty where it is none."""
    engine = context.catalog.engine(required.engine)
    return required.volumes_at.get(engine.hub_cache, "") if engine is not None else ""


def _is_cache(context: DoctorContext, required: Requirements, bind: BindMount) -> bool:
    engine = context.catalog.engine(required.engine)
    return engine is not None and engine.hub_cache == bind.target


def _has_weights(cache: Path, required: Requirements) -> bool:
    """Tell whether a cache contains a tier's repositories: every engine's layout has their names in it."""
    repos = (required.tier.repos or (required.tier.model,)) if required.tier is not None else ()
    entries = [entry.casefold() for folder in (cache, cache / "hub") for entry in _names(folder)]
    return all(any(repo.rpartition("/")[2].casefold() in entry for entry in entries) for repo in repos)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  only names are needed
    except OSError:
        return []
