"""Whether there is room for what is still to come: images, and weights of the hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import UNSET, Struct

from anvil_gen.host_paths import seen_from_here
from anvil_gen.machine.containers import images_of
from anvil_gen.machine.system import device_of, free_gib
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.requirements import Bind, Requirements
from anvil_gen.resolve.model import Tier

_IMAGE_GIB = 5.0
"""What an image takes whose engine does not say."""
_BUILT_GIB = 1.0


class _Need(Struct, frozen=True, kw_only=True):
    """What will take room in a folder, in GiB."""

    folder: Path
    gib: float
    told: str


def check_disk(context: DoctorContext) -> Iterator[Check]:
    """Compare the room on each disk with what is to come there at most.

    A disk of another machine, or inside of Docker Desktop's, is not seen from here.
    """
    if not context.docker_info.local or not context.docker_info.answers:
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
        told = " and ".join(need.told for need in needs if need.gib)
        remedy = with_commands(
            "make room; neither takes an image that a container has",
            context.docker.typed("image", "prune", "--all"),
            context.docker.typed("builder", "prune"),
        )
        yield failed("disk", "little room", f"{found}, and there is to come: {told}", remedy, severity="warning")


def _needs(context: DoctorContext) -> Iterator[_Need]:
    said = str(context.docker_info.info.get("DockerRootDir") or "")
    root = context.root / said.lstrip("/")
    there = said != "" and root.is_dir()
    if there:
        gib = sum(_image_gib(context, required) for required in _missing_images(context))
        yield _Need(folder=root, gib=gib, told=f"{gib:.0f} GiB for images")
    volumes = set(context.docker.run("volume", "ls", "--quiet").stdout.split())
    for required in context.requirements:
        gib = _weights_gib(required.tier) if required.tier is not None else 0.0
        told = f"up to {gib:.0f} GiB for the weights of {required.name}"
        if gib and there and not set(required.volumes) <= volumes:  # what is in a volume that is there, nobody knows
            yield _Need(folder=root, gib=gib, told=told)
        for bind in required.binds if gib else ():
            cache = seen_from_here(bind.source, system=context.system, root=context.root)
            if cache is not None and _is_cache(context, required, bind) and not _has_weights(cache, required):
                yield _Need(folder=cache, gib=gib, told=told)


def _missing_images(context: DoctorContext) -> list[Requirements]:
    there = images_of(context.docker, [required.image for required in context.storage_requirements])
    return list(
        {required.image: required for required in context.storage_requirements if required.image not in there}.values()
    )


def _image_gib(context: DoctorContext, required: Requirements) -> float:
    engine = context.catalog.engine(required.engine)
    return engine.image_gib if engine is not None else _BUILT_GIB if required.built else _IMAGE_GIB


def _weights_gib(tier: Tier) -> float:
    """Return what the weights of a tier from the hub can take at most: they fit onto its cards."""
    model = tier.options["model"]
    from_hub = model is not None and model.repo is not UNSET
    return sum(gpu.memory_mib or 0 for gpu in tier.gpus) / 1024 if from_hub else 0.0


def _is_cache(context: DoctorContext, required: Requirements, bind: Bind) -> bool:
    engine = context.catalog.engine(required.engine)
    return engine is not None and engine.hub_cache == bind.target


def _has_weights(cache: Path, required: Requirements) -> bool:
    """Tell whether a cache has something of a tier's repository: each engine's layout has its name in it."""
    name = str(required.tier.options["model"].repo).rpartition("/")[2].casefold() if required.tier is not None else ""
    return any(name in entry.casefold() for folder in (cache, cache / "hub") for entry in _names(folder))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  names are all that is wanted
    except OSError:
        return []
