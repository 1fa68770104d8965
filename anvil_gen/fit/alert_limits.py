"""What alerts take from the fit of a host: the memory that its GPUs should not be above, the largest weights."""

from __future__ import annotations

from msgspec.structs import replace

from anvil_gen.fit.host_fit import GpuFit, HostFit, host_fit
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Stack
from anvil_gen.resolve.monitoring_model import GpuFacts


def with_limits(host: Host) -> Stack:
    """Return a host's stack with the limits of its alerts, by the facts of its locks alone: as on every machine.

    Raises:
        DiagnosticError: the inventory or a lock has errors.
    """
    stack = host.stack
    if stack.monitoring is None:
        return stack
    fit = host_fit(host, (), None)
    gpus = tuple(_with_limit(gpu, fit) for gpu in stack.monitoring.gpus)
    return replace(stack, monitoring=replace(stack.monitoring, gpus=gpus, largest_weights=_largest_weights(host, fit)))


def _with_limit(gpu: GpuFacts, fit: HostFit) -> GpuFacts:
    """Return a GPU with what its tiers take of it in the fullest mode, where that is known of all of them."""
    sums = [_sum(one) for one in fit.gpus if one.gpu == gpu.name and not one.with_experiment]
    known = [one for one in sums if one is not None]
    return replace(gpu, limit=round(max(known)) if known and len(known) == len(sums) else None)


def _sum(load: GpuFit) -> float | None:
    sizes = [part.size.high for part in load.parts if part.size is not None]
    return sum(sizes) + load.reserve if len(sizes) == len(load.parts) else None


def _largest_weights(host: Host, fit: HostFit) -> int | None:
    """Return the bytes of the largest model on a disk, of those that are known."""
    gpus = {tier.name: max(len(tier.gpus), 1) for tier in host.stack.tiers}
    sizes = [
        tier.estimate.weights.expected * gpus[tier.tier]
        for tier in fit.tiers
        if tier.estimate is not None and tier.estimate.weights.expected
    ]
    return max(sizes, default=None)
