"""Where on this machine the shared Hugging Face cache of a tier is, as its engine lays it out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from anvil_gen.catalog.engine import Engine
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.host_paths import is_absolute, local_path
from anvil_gen.machine.docker import Docker
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Tier

BLOBS = "blobs"


def hub_cache_of(host: Host, engine: Engine, tier: Tier, *, access: int = os.W_OK) -> Path:
    """Return the folder that has a tier's repositories.

    Raises:
        DiagnosticError: it has none, or it cannot be accessed from here.
    """
    mounts = [mount for mount in tier.service.mounts if mount.target == engine.hub_cache]
    if not mounts:
        raise DiagnosticError([no_place(f'"{tier.name}" mounts no shared cache')])
    if not mounts[0].volume:
        return path_here(host, mounts[0].source) / engine.hub_folder
    docker = Docker(host.docker_context)
    if docker.is_remote:
        raise DiagnosticError([no_place("the volume is on another machine")])
    volume = mounts[0].source
    place = Path(docker.output("volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip())
    if not os.access(place, access):
        raise DiagnosticError([no_place(f"the volume {volume} is at {place}, which this user cannot access")])
    return place / engine.hub_folder


def repo_folder(cache: Path, repo: str) -> Path:
    """Return the folder of a cache that has a repository."""
    return cache / f"models--{repo.replace('/', '--')}"


def repo_blobs(cache: Path, repo: str) -> Path:
    """Return the folder of a cache that has the contents of a repository."""
    return repo_folder(cache, repo) / BLOBS


def path_here(host: Host, path: str) -> Path:
    """Return a path of a rendered tier as programs of this machine open it.

    Raises:
        DiagnosticError: they cannot.
    """
    absolute = path if is_absolute(path) else str((host.output / "tiers" / path).resolve())
    found = local_path(absolute, system=sys.platform)
    if found is None:
        raise DiagnosticError([no_place(f"{path} is not on this machine")])
    return found


def no_place(detail: str) -> Diagnostic:
    """Return why weights cannot be put where a tier looks for them."""
    remedy = "run it on the host, as a user who may write there; or let the engine download it when it starts"
    return Diagnostic(code="no-place-for-weights", detail=detail, remedy=remedy)
