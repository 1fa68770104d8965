"""The answers to the questions of `copier.yml` that follow from what was found."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from anvil_gen.machine.gpus import DetectedGpu
from anvil_gen.onboard.detect import DetectedMachine
from anvil_gen.onboard.local_models import Model

_LEAST_RESERVE_MIB = 8192
_RESERVED_SHARE = 10
_LEAST_PART = 4
_ROOM = 1.2  # of a model's files: its cache, and what the engine takes besides


class Answers(Struct, frozen=True, kw_only=True):
    """Answers by question: ``known`` are not asked, ``suggested`` stand in the question as its default."""

    known: dict[str, Any]
    suggested: dict[str, Any]


def answers_of(found: DetectedMachine, *, context: str | None = None) -> Answers:
    """Return what needs no asking, and what to suggest for the rest."""
    known: dict[str, Any] = {
        "router_port": found.router_port,
        "first_port": found.first_port,
        "models": found.models.path.as_posix() if found.models is not None else "",
        "hfcache": _cache(found),
        "router": "default",
        "api_key_env": "ROUTER_TOKEN",
        "docker_context": context or "",
    }
    suggested: dict[str, Any] = {"machine": found.name}
    if found.platform is not None:
        known["platform"] = found.platform
    # Where a listing failed there may be cards that only their owner knows of.
    if found.cards or not any(found.diagnostics):
        known["gpus"] = "\n".join(gpu_line(card, found) for card in found.cards)
    own = own_model(found)
    if own is not None:
        suggested |= {"preset": "own", "own_model": own.name}
    return Answers(known=known, suggested=suggested)


def gpu_line(card: DetectedGpu, found: DetectedMachine) -> str:
    """Return a card as a line of the question for cards."""
    memory, reserve = gpu_memory(card, found)
    parts = [
        card.name.replace(",", " ") or card.vendor,
        f"{memory} MiB" if memory else "",
        f"reserve {reserve} MiB" if reserve else "",
        card.uuid,
        card.compute_capability,
        card.vendor,
    ]
    return ", ".join(part for part in parts if part)


def gpu_memory(card: DetectedGpu, found: DetectedMachine) -> tuple[int | None, int]:
    """Return a card's memory, and what of it is to be left alone, in MiB.

    A card that says what it computes but no memory shares the machine's: a part of that belongs to everything else.
    """
    shared = found.memory_mib
    if card.memory_mib is None and card.compute_capability and shared:
        return shared, max(_LEAST_RESERVE_MIB, shared // _RESERVED_SHARE)
    return card.memory_mib, 0


def own_model(found: DetectedMachine) -> Model | None:
    """Return the largest GGUF model of the machine that fits its largest card, or the processor's memory without one.

    For a card, one that leaves most of it empty is no suggestion: the presets have better ones.
    """
    if found.models is None:
        return None
    cards = found.cards
    rooms = [(memory or 0) - reserve for memory, reserve in (gpu_memory(card, found) for card in cards)]
    room = max(rooms) if rooms else (found.memory_mib or 0) // 2
    least = room / _LEAST_PART if rooms else 0
    fitting = (model for model in found.models.models if model.is_file)
    return next((model for model in fitting if least <= model.size * _ROOM / (1 << 20) <= room), None)


def _cache(found: DetectedMachine) -> str:
    """Return the hub's cache: a volume that is there, else a folder that is there, else a volume to be made."""
    if found.cache_volume:
        return found.cache_volume
    if found.hub_cache is not None:
        return found.hub_cache.as_posix()
    return "hfcache"
