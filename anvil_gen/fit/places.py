"""Where on a host's GPUs a model could run: on one of them, next to what is there, or on several equal ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.engine import Engine
from anvil_gen.fit.estimate import Case, Estimate
from anvil_gen.fit.host_fit import MIB, TierFit, taken
from anvil_gen.fit.ledger import estimate
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.model import Stack, Tier

_SIZES = (2, 4, 8)
_SPARE = 0.02
"""Of a shared GPU: what the processes of all take besides their shares."""


class Place(Struct, frozen=True, kw_only=True):
    """GPUs, with the share of each that is free; ``beside`` are tiers of the default mode that are there too.

    ``blocked`` says why nothing else can be put there.
    """

    gpus: tuple[Gpu, ...]
    free: float
    beside: tuple[str, ...] = ()
    blocked: str = ""

    @property
    def memory(self) -> int:
        """The bytes of each GPU."""
        return (self.gpus[0].memory_mib or 0) * MIB

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the GPUs."""
        return tuple(gpu.name for gpu in self.gpus)


class Placed(Struct, frozen=True, kw_only=True):
    """A model at a place; ``share`` of each GPU is stated, or left to the engine."""

    place: Place
    case: Case
    share: float | None
    estimate: Estimate


def places(
    stack: Stack, fits: Mapping[str, TierFit], engine: Engine, *, without: str = "", alone: bool = False
) -> list[Place]:
    """Return the places of a host for an engine, single GPUs first.

    ``without`` is a tier that is not counted; of a model that runs ``alone``, at another time, none is.
    """
    gpus = [gpu for gpu in stack.gpus if gpu.vendor in engine.vendors]
    tiers = [tier for tier in stack.modes[0].tiers if not without or tier.group != without]
    single = [_place(gpu, () if alone else tiers, fits) for gpu in gpus]
    return [*single, *_groups(place for place in single if not place.blocked and not place.beside)]


def _place(gpu: Gpu, tiers: Sequence[Tier], fits: Mapping[str, TierFit]) -> Place:
    there = [tier for tier in tiers if tier.may_hold(gpu)]
    names = tuple(tier.name for tier in there)
    if gpu.memory_mib is None:
        return Place(gpus=(gpu,), free=0, blocked="its memory is not in the inventory: write memory_mib in [gpus]")
    silent = [tier.name for tier in there if tier.share is None]
    if silent:
        blocked = f"{silent[0]} is there, and states no share of it"
        return Place(gpus=(gpu,), free=0, beside=names, blocked=blocked)
    sizes = [taken(tier, fits.get(tier.name), gpu) for tier in there]
    used = sum(size.high for size in sizes if size is not None) / MIB + gpu.reserve_mib
    free = 1 - used / gpu.memory_mib - (_SPARE if there else 0)
    blocked = f"{', '.join(names)} leave nothing of it" if free <= 0 else ""
    return Place(gpus=(gpu,), free=max(free, 0.0), beside=names, blocked=blocked)


def _groups(free: Iterable[Place]) -> Iterator[Place]:
    """Yield equal GPUs together, on which nothing is."""
    equal: dict[tuple[str, int | None, str | None], list[Place]] = {}
    for place in free:
        (gpu,) = place.gpus
        equal.setdefault((gpu.vendor, gpu.memory_mib, gpu.compute_capability), []).append(place)
    for members in equal.values():
        for size in _SIZES:
            if size <= len(members):
                chosen = members[:size]
                gpus = tuple(gpu for place in chosen for gpu in place.gpus)
                yield Place(gpus=gpus, free=min(place.free for place in chosen))


def at_place(case: Case, place: Place) -> Placed | None:
    """Return a model at a place; None where it cannot be divided between so many GPUs."""
    facts, number = case.facts, len(place.gpus)
    if number > 1 and facts.heads % number and facts.format != "gguf":
        return None
    share = _share(case, place)
    request = replace(case.request, tensor_parallel=number, pipeline_parallel=1, fraction=share)
    moved = replace(case, request=request, memory=place.memory, has_gpu=True)
    return Placed(place=place, case=moved, share=share, estimate=estimate(moved))


def _share(case: Case, place: Place) -> float | None:
    """Return the share of each GPU that has to be stated; None where the engine may take the whole one."""
    if place.beside:
        return int(place.free * 100) / 100
    if place.free == 1:
        return case.request.fraction
    usual = case.request.fraction or case.rules.fraction or 1.0
    return int(min(place.free, place.free * usual if case.rules.takes == "share" else 1.0) * 100) / 100
