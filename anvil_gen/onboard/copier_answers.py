"""The answers to the questions of `copier.yml` that follow from the detected machine."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from anvil_gen.machine.gpus import DetectedGpu
from anvil_gen.onboard.detect import DetectedMachine
from anvil_gen.onboard.local_models import Model

_LEAST_RESERVE_MIB = 8192
_RESERVED_SHARE = 10
_LEAST_PART = 4
_OVERHEAD = 1.2  # times a model's files: its cache, and the overhead of the engine


class Answers(Struct, frozen=True, kw_only=True):
    """Answers by question: ``known`` are not asked, ``suggested`` are the defaults of the prompts."""

    known: dict[str, Any]
    suggested: dict[str, Any]


def answers_of(found: DetectedMachine, *, context: str | None = None) -> Answers:
    """Return the answers that need no prompt, and suggestions for the rest."""
    known: dict[str, Any] = {
        "router_port": found.router_port,
        "first_port": found.first_port,
        "models": found.models.path.as_posix() if found.models is not None else "",
        "hfcache": _cache(found),
        "router": "default",
        "api_key_env": "ROUTER_TOKEN",
        "docker_context": context or "",
        "address": found.address,
        "architecture": found.architecture,
        "host_keys": json.dumps(found.host_keys),
    }
    suggested: dict[str, Any] = {"machine": found.name}
    if found.platform is not None:
        known["platform"] = found.platform
    # Where a listing failed there may be GPUs that only their owner knows about.
    if found.gpus or not any(found.diagnostics):
        known["gpus"] = "\n".join(gpu_line(gpu, found) for gpu in found.gpus)
    own = own_model(found)
    if own is not None:
        suggested |= {"preset": "own", "own_model": own.name}
    return Answers(known=known, suggested=suggested)


def gpu_line(gpu: DetectedGpu, found: DetectedMachine) -> str:
    """Return a GPU as a line of the answer to `gpus`."""
    memory, reserve = gpu_memory(gpu, found)
    parts = [
        gpu.name.replace(",", " ") or gpu.vendor,
        f"{memory} MiB" if memory else "",
        f"reserve {reserve} MiB" if reserve else "",
        gpu.uuid,
        gpu.compute_capability,
        gpu.vendor,
    ]
    return ", ".join(part for part in parts if part)


def gpu_memory(gpu: DetectedGpu, found: DetectedMachine) -> tuple[int | None, int]:
    """Return a GPU's memory and the part of it that is reserved, in MiB.

    A GPU that is integrated, or reports a compute capability but no memory, shares the machine's: a part of that is
    left to the system.
    """
    shared = found.memory_mib
    if gpu.memory_mib is None and (gpu.compute_capability or gpu.is_integrated) and shared:
        return shared, max(_LEAST_RESERVE_MIB, shared // _RESERVED_SHARE)
    return gpu.memory_mib, 0


def own_model(found: DetectedMachine) -> Model | None:
    """Return the largest GGUF model of the machine that fits its largest GPU, or main memory without one.

    For a GPU, a model that leaves most of it unused is not suggested: the presets have better ones.
    """
    if found.models is None:
        return None
    gpus = found.gpus
    capacities = [(memory or 0) - reserve for memory, reserve in (gpu_memory(gpu, found) for gpu in gpus)]
    capacity = max(capacities) if capacities else (found.memory_mib or 0) // 2
    least = capacity / _LEAST_PART if capacities else 0
    files = (model for model in found.models.models if model.is_file)
    return next((model for model in files if least <= model.size * _OVERHEAD / (1 << 20) <= capacity), None)


def _cache(found: DetectedMachine) -> str:
    """Return the Hugging Face cache: an existing volume, else an existing folder, else a volume to create."""
    if found.cache_volume:
        return found.cache_volume
    if found.hub_cache is not None:
        return found.hub_cache.as_posix()
    return "hfcache"
