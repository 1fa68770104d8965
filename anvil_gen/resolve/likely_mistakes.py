"""What an inventory may say and hardly means; each is a warning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import UNSET, Struct

from anvil_gen.host_paths import is_absolute, is_windows_path
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import Stack
from anvil_gen.resolve.options import TierOptions
from anvil_gen.resolve.uniqueness import option_location, owners
from anvil_gen.values import KeyPath, VariableValue, canonical_flag

_LEAST_MIB = 512
"""No GPU that engines run on has less memory."""
_SOURCES = ("path", "file", "folder")
"""Keys of a model that name something of the host."""


class Mistake(Struct, frozen=True, kw_only=True):
    """Something that is hardly meant; with ``key``, at the key of ``path``."""

    code: str
    path: KeyPath
    detail: str
    remedy: str
    key: bool = False


def check_likely_mistakes(context: ResolveContext, stack: Stack) -> None:
    """Warn of what is valid and hardly meant."""
    for find in (_memory_in_gib, _windows_paths, _moving_images, _short_repos, _shares_without_gpu, _unmounted):
        for found in find(context, stack):
            context.collector.add(found.code, found.path, found.detail, found.remedy, key=found.key, severity="warning")


def _memory_in_gib(context: ResolveContext, stack: Stack) -> Iterator[Mistake]:
    for gpu in stack.gpus:
        if gpu.memory_mib is not None and gpu.memory_mib < _LEAST_MIB:
            yield Mistake(
                code="number-out-of-range",
                path=("gpus", gpu.name, "memory_mib"),
                detail=f"{gpu.memory_mib} MiB is less than any GPU has",
                remedy=f"write {gpu.memory_mib * 1024}, if GiB are meant",
            )


def _windows_paths(context: ResolveContext, stack: Stack) -> Iterator[Mistake]:
    if stack.platform != "linux":
        return
    for path, value in _host_paths(context.inventory):
        if isinstance(value, str) and is_absolute(value) and is_windows_path(value):
            yield Mistake(
                code="not-on-this-platform",
                path=path,
                detail=f'"{value}" is a path of Windows, and the platform is linux',
                remedy='set platform = "wsl2" in [host], or write the path as Linux has it',
            )


def _host_paths(inventory: Inventory) -> Iterator[tuple[KeyPath, object]]:
    """Yield what an inventory names of its host, each with its place; UNSET for what it does not name."""
    yield ("paths", "models"), inventory.paths.models
    yield ("hfcache", "path"), inventory.hfcache.path
    for name, tier in inventory.tiers.items():
        for field in ("model", "draft_model"):
            yield from ((("tiers", name, field, key), getattr(getattr(tier, field), key, UNSET)) for key in _SOURCES)
        for target, mount in ({} if tier.mounts is UNSET else tier.mounts).items():
            here: KeyPath = ("tiers", name, "mounts", target)
            yield (here, mount) if isinstance(mount, str) else ((*here, "source"), mount.source)


def _moving_images(context: ResolveContext, stack: Stack) -> Iterator[Mistake]:
    for _, table, options in owners(stack):
        image = options.image
        if image is None or isinstance(image, VariableValue) or not image or getattr(options, "build", None):
            continue
        if ":" not in image.rpartition("/")[2] and context.lock.image(image) == image:
            path, key = option_location(options, "image", table)
            detail = f'"{image}" has no tag: Docker takes "latest", which is another image one day'
            remedy = f'write the tag of a release, or "{image}:latest" if that is meant'
            yield Mistake(code="image-without-a-tag", path=path, detail=detail, remedy=remedy, key=key)


def _short_repos(context: ResolveContext, stack: Stack) -> Iterator[Mistake]:
    """Yield names that are no repository's where an engine loads those of the Hugging Face Hub, and has no others."""
    for tier in stack.tiers:
        engine = context.catalog.engine(tier.engine)
        if engine is None or re.fullmatch(engine.hub_repo, "org/name") is None:
            continue
        for path, repo in _repos(tier.options, tier.table):
            if "/" not in repo and not isinstance(repo, VariableValue):
                detail = f'"{repo}" has no "/": repositories of the Hugging Face Hub are named org/name'
                remedy = f'write "org/{repo}" with the organization that has it, or path for a folder of the host'
                yield Mistake(code="not-a-model-of-the-hub", path=path, detail=detail, remedy=remedy)


def _repos(options: TierOptions, table: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    for field in ("model", "draft_model"):
        repo = getattr(getattr(options, field), "repo", UNSET)
        path = options.path_of(field)
        if isinstance(repo, str) and path is not None:
            yield (*path, "repo"), repo


def _shares_without_gpu(context: ResolveContext, stack: Stack) -> Iterator[Mistake]:
    for tier in stack.tiers:
        path = tier.options.path_of("gpu_memory_utilization")
        if tier.gpu_request is None and path is not None and path[: len(tier.table)] == tier.table:
            detail = f'"{tier.name}" holds no GPU: it runs on the processor'
            remedy = 'name the GPUs that it takes, as in gpus = ["a"], or remove it'
            yield Mistake(code="field-without-a-gpu", path=path, detail=detail, remedy=remedy, key=True)


def _unmounted(context: ResolveContext, stack: Stack) -> Iterator[Mistake]:
    """Yield models that a flag names in its JSON, and that the container has not: no field mounts them."""
    for tier in stack.tiers:
        engine = context.catalog.engine(tier.engine)
        targets = [mount.target for mount in tier.service.mounts]
        for field, key in engine.json_keys.items() if engine is not None else ():
            for name, value in tier.options.flags.items():
                is_flag = engine is not None and canonical_flag(name) == canonical_flag(str(engine.fields[field]))
                model = value.get(key) if is_flag and isinstance(value, dict) and "." not in field else None
                if isinstance(model, str) and not _is_mounted(model, targets, tier.hub_cache):
                    yield Mistake(
                        code="model-that-nothing-mounts",
                        path=(*tier.table, "flags", name),
                        detail=f'"{model}" in its JSON is not in the container, and not kept if it is downloaded',
                        remedy=f"write it as the field {field}, which mounts it, and leave {key} out of the JSON",
                        key=True,
                    )


def _is_mounted(model: str, targets: Sequence[str], hub_cache: str) -> bool:
    """Tell whether a path in the container, or a repository of the Hugging Face Hub, is on a mount."""
    if not model.startswith("/"):
        return hub_cache in targets
    return any(model == target or model.startswith(f"{target}/") for target in targets)
