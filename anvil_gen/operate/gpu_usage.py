"""Which tiers use a GPU, and how much of its memory is free: by the inventory's numbers, for what runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from anvil_gen.machine.containers import Container
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.model import Stack
from anvil_gen.values import Number


class Holder(Struct, frozen=True, kw_only=True):
    """A tier that holds a GPU now, or will with the next `up`; ``takes_mib`` is None where that is not known."""

    tier: str
    running: bool
    in_default_mode: bool
    takes_mib: int | None


class GpuUse(Struct, frozen=True, kw_only=True):
    """A GPU and its holders. ``left_mib`` is None where that is not known."""

    gpu: Gpu
    holders: tuple[Holder, ...]
    left_mib: int | None

    @property
    def busy(self) -> tuple[str, ...]:
        """The tiers that run on the GPU."""
        return tuple(holder.tier for holder in self.holders if holder.running)


def gpu_use(stack: Stack, gpu: Gpu, containers: Mapping[str, Container]) -> GpuUse:
    """Return who holds a GPU, by the project's containers."""
    standing = {tier.name for tier in stack.modes[0].tiers}
    holders = []
    for tier in stack.tiers:
        one = containers.get(tier.service.name)
        running = one is not None and one.running and _has(one, gpu, planned=tier.may_hold(gpu))
        if running or (tier.may_hold(gpu) and tier.name in standing):
            holder = Holder(
                tier=tier.name,
                running=running,
                in_default_mode=tier.name in standing and tier.may_hold(gpu),
                takes_mib=share_mib(tier.share, gpu),
            )
            holders.append(holder)
    return GpuUse(gpu=gpu, holders=tuple(holders), left_mib=_left(gpu, holders))


def share_mib(share: Number | None, gpu: Gpu) -> int | None:
    """Return a share of a GPU in MiB; None where the share or the memory is not known."""
    return None if share is None or gpu.memory_mib is None else round(gpu.memory_mib * share)


def _has(one: Container, gpu: Gpu, *, planned: bool) -> bool:
    """Tell whether a container has a GPU: by what it was granted, else by the inventory."""
    return gpu.device_id in one.gpu_ids if one.gpu_ids else planned


def _left(gpu: Gpu, holders: Iterable[Holder]) -> int | None:
    takes = [holder.takes_mib for holder in holders if holder.running]
    if gpu.memory_mib is None or None in takes:
        return None
    return max(0, gpu.memory_mib - gpu.reserve_mib - sum(filter(None, takes)))
