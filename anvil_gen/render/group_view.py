"""The further ranks of groups, which the files of the first host say too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.render.target_model import GpuClaim, Store, TargetView, Workload
from anvil_gen.render.target_view import HostTree, ViewBuilder, label
from anvil_gen.resolve.group_model import TierRank
from anvil_gen.resolve.model import Tier
from anvil_gen.resolve.target import TargetErrors, check_device_plugin, check_tier

ReadTree = Callable[[str], HostTree]
"""Renders a host of the fleet, by its file's name."""


class _Worker(Struct, frozen=True, kw_only=True):
    """A further host of a group: what runs on it, and what that mounts."""

    host: str
    workload: Workload
    stores: tuple[Store, ...]


def with_workers(view: TargetView, read: ReadTree, errors: TargetErrors) -> TargetView:
    """Return a view in which the first rank of each group has the others, with what they mount.

    Workers that are not alike are reported to ``errors``.

    Raises:
        DiagnosticError: with what the target cannot say of another host.
    """
    tiers, stores = list[Workload](), list(view.stores)
    for one in view.tiers:
        workers = list(_workers(one, read))
        if workers and one.tier is not None and one.tier.rank is not None:
            _check_alike(one.tier, one.tier.rank, workers, errors)
            further = _for_all([worker.workload for worker in workers])
            templates = {store.name: store for store in (*further.claim_templates, *one.claim_templates)}
            tiers.append(replace(one, workers=(further,), claim_templates=tuple(templates.values())))
            stores += map(_on_all, zip(*(worker.stores for worker in workers), strict=False))
        else:
            tiers.append(one)
    return replace(view, tiers=tuple(tiers), stores=tuple(stores))


def _workers(head: Workload, read: ReadTree) -> Iterator[_Worker]:
    if head.tier is None or head.tier.rank is None:
        return
    names = head.tier.rank.hosts[1:]
    for name in names:
        tree = read(name)
        tier = next(one for one in tree.stack.tiers if one.name == head.tier.name)
        builder = ViewBuilder(tree, suffix=f"-{label(name)}" if len(names) == 1 else "-workers")
        worker = builder.tier(tier)
        check_tier(tree.host, tree.request, tier)
        check_device_plugin(tree.host, tree.request)
        for claim in worker.claims:
            if claim.shared:
                detail = f"{claim.words} is shared with a tier of {name}, which is in another namespace"
                TargetErrors(tree.host.collector, tree.request).add((*tier.table, "gpus"), detail, _OWN_GPUS)
        tree.host.collector.raise_errors()
        yield _Worker(host=name, workload=worker, stores=builder.stores)


_OWN_GPUS = "give the group GPUs of its own"


def _check_alike(tier: Tier, rank: TierRank, workers: Sequence[_Worker], errors: TargetErrors) -> None:
    """Report in what workers differ besides their node, address and GPUs."""
    first, *others = workers
    facts = _facts(first)
    for worker in others:
        own = _facts(worker)
        place = ("groups", rank.group, "hosts", rank.hosts.index(worker.host))
        for what in dict.fromkeys([*facts, *own]):
            if facts.get(what) != own.get(what):
                there, here = (one.get(what, "none") for one in (facts, own))
                found = f"{what} is {here} on {worker.host}, and {there} on {first.host}"
                errors.add_unlike(place, found, tier.table)


def _facts(worker: _Worker) -> Mapping[str, str]:
    """Return everything that the template of a worker says, in words."""
    (one,) = worker.workload.containers
    environment = {
        f"environment.{entry.name}": _word("a secret" if entry.value is None else entry.value)
        for entry in one.environment
    }
    mounts = {mount.target: f"{mount.source}{' (read only)' if mount.read_only else ''}" for mount in one.mounts}
    claims = {f"claim of {claim.device_class}": f"{claim.count} of them" for claim in worker.workload.claims}
    sizes = {f"size of {store.name}": store.size for store in worker.stores}
    files = {f"file {file.key}": file.text for file in worker.workload.files}
    own = {name: str(getattr(one, name)) for name in _SAID}
    words = {f"word {at} of the command": _word(word) for at, word in enumerate(one.words, start=1)}
    return {**words, **environment, **mounts, **claims, **sizes, **files, **own}


_SAID = (
    "image",
    "resource",
    "user",
    "group",
    "read_only",
    "cap_add",
    "cap_drop",
    "scratch",
    "memory",
    "memory_request",
    "cpus",
    "shared_memory",
    "stop_seconds",
)
"""What else of a container the manifests say."""


def _word(text: str) -> str:
    """Return a text with the variables of a pod as a person writes them."""
    parts = text.split("\0")
    return "".join(f"${{{part}}}" if at % 2 else part for at, part in enumerate(parts))


def _for_all(workers: Sequence[Workload]) -> Workload:
    """Return one workload for all workers, each on its node with its GPUs."""
    return replace(
        workers[0],
        nodes=tuple(node for one in workers for node in one.nodes),
        claims=tuple(map(_of_all, zip(*(one.claims for one in workers), strict=False))),
        gpus=tuple(gpu for one in workers for gpu in one.gpus),
    )


def _of_all(claims: Sequence[GpuClaim]) -> GpuClaim:
    return replace(
        claims[0],
        uuids=tuple(uuid for one in claims for uuid in one.uuids),
        words="; ".join(dict.fromkeys(one.words for one in claims)),
    )


def _on_all(stores: Sequence[Store]) -> Store:
    return replace(stores[0], nodes=tuple(node for one in stores for node in one.nodes))
