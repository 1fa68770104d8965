"""The further ranks of groups, which the files of the first host say too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from anvil_gen.render.target_model import Store, TargetView, Workload
from anvil_gen.render.target_view import HostTree, ViewBuilder, label
from anvil_gen.resolve.target import TargetErrors, check_device_plugin, check_tier

ReadTree = Callable[[str], HostTree]
"""Renders a host of the fleet, by its file's name."""


def with_workers(view: TargetView, read: ReadTree) -> TargetView:
    """Return a view in which the first rank of each group has the others, with what they mount.

    Raises:
        DiagnosticError: with what the target cannot say of them.
    """
    tiers, stores = list[Workload](), list(view.stores)
    for one in view.tiers:
        found = list(_workers(one, read))
        tiers.append(replace(one, workers=tuple(worker for worker, _ in found)))
        stores += [store for _, own in found for store in own]
    return replace(view, tiers=tuple(tiers), stores=tuple(stores))


def _workers(head: Workload, read: ReadTree) -> Iterator[tuple[Workload, tuple[Store, ...]]]:
    if head.tier is None or head.tier.rank is None:
        return
    for name in head.tier.rank.hosts[1:]:
        tree = read(name)
        tier = next(one for one in tree.stack.tiers if one.name == head.tier.name)
        builder = ViewBuilder(tree, suffix=f"-{label(name)}")
        worker = builder.tier(tier)
        check_tier(tree.host, tree.request, tier)
        check_device_plugin(tree.host, tree.request)
        for claim in worker.claims:
            if claim.shared:
                detail = f"{claim.words} is shared with a tier of {name}, which is in another namespace"
                TargetErrors(tree.host.collector, tree.request).add((*tier.table, "gpus"), detail, _OWN_GPUS)
        tree.host.collector.raise_errors()
        yield worker, builder.stores


_OWN_GPUS = "give the group GPUs of its own"
