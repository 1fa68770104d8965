"""What a picture of a host shows, whatever it is drawn with: GPUs with their shares, tiers, routes, other hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import printable
from anvil_gen.fit.estimate import Estimate
from anvil_gen.fit.host_fit import GpuFit, HostFit, Part, TierFit
from anvil_gen.fit.settings import GIB
from anvil_gen.inventory.schema_model import ModelTable
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.model import Mode, Port, Router, Stack, Tier
from anvil_gen.values import as_text, compose_text

MIB = 1 << 20
_ALL = "0.0.0.0"  # noqa: S104  it is shown, and nothing listens there


def gib_text(amount: float | None) -> str:
    """Return an amount of memory for people."""
    return "?" if amount is None else f"{amount / GIB:.1f}".removesuffix(".0") + " GiB"


def _rest_of(whole: float, *parts: float) -> float:
    """Return what parts leave of a whole, each as it is shown."""
    return max(0.0, round(whole / GIB, 1) - sum(round(part / GIB, 1) for part in parts)) * GIB


class Segment(Struct, frozen=True, kw_only=True):
    """A part of a GPU's memory in bytes, None where that is not known; ``tier`` is empty for what is no tier's."""

    tier: str
    kind: str  # "weights", "overhead", "cache", "share", "reserved" or "free"
    size: float | None


class GpuBar(Struct, frozen=True, kw_only=True):
    """A GPU in one mode; ``memory`` in bytes, None where the inventory does not set it."""

    gpu: str
    mode: str
    memory: float | None
    segments: tuple[Segment, ...]
    verdict: str

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that are on it, in their order."""
        return tuple(dict.fromkeys(segment.tier for segment in self.segments if segment.tier))

    def ends(self, width: float) -> list[float]:
        """Return where each segment ends in a bar; what is of no known size shares what the others leave."""
        sizes = [segment.size for segment in self.segments]
        known = sum(size for size in sizes if size is not None)
        whole = max(self.memory or 0.0, known) or 1.0
        each = (whole - known) / max(sizes.count(None), 1)
        reached, ends = 0.0, []
        for size in sizes:
            reached += each if size is None else size
            ends.append(reached / whole * width)
        return ends

    @property
    def words(self) -> str:
        """What is on it, in words."""
        return self._words(self._of_tier)

    @property
    def sizes(self) -> str:
        """The same without what a tier's share is for."""
        return self._words(lambda tier: gib_text(self.size_of(tier)))

    def _words(self, of_tier: Callable[[str], str]) -> str:
        parts = [f"{tier} {of_tier(tier)}" for tier in self.tiers]
        parts += [f"{one.kind} {gib_text(self._rounded_rest(one))}" for one in self.segments if not one.tier]
        parts += ["does not fit"] if self.verdict == "does not fit" else []
        return ", ".join(parts) or "free"

    def _rounded_rest(self, segment: Segment) -> float | None:
        """Return what is no tier's: of what is free so much that all that is shown adds up to the memory shown."""
        if segment.kind != "free" or self.memory is None:
            return segment.size
        others = [self.size_of(tier) or 0.0 for tier in self.tiers]
        return _rest_of(self.memory, *others, *(one.size or 0.0 for one in self.segments if one.kind == "reserved"))

    def _of_tier(self, tier: str) -> str:
        by_kind = {segment.kind: segment.size for segment in self.segments if segment.tier == tier}
        whole, weights, cache = self.size_of(tier), by_kind.get("weights"), by_kind.get("cache", 0.0)
        if whole is None or weights is None or cache is None:
            return gib_text(whole)
        overhead = gib_text(_rest_of(whole, weights, cache))
        return f"{gib_text(whole)} (weights {gib_text(weights)}, KV {gib_text(cache)}, overhead {overhead})"

    def size_of(self, tier: str) -> float | None:
        """Return what a tier takes of it; None where that is not known."""
        sizes = [segment.size for segment in self.segments if segment.tier == tier]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


class TierBox(Struct, frozen=True, kw_only=True):
    """A tier. ``state`` is what its container does, empty where nobody asked; ``modes`` are those that run it.

    ``rank`` is its place among the hosts of a group, in words.
    """

    name: str
    engine: str
    model: str
    task: str
    gpus: tuple[str, ...]
    address: str
    modes: tuple[str, ...]
    state: str = ""
    rank: str = ""


class RouteLine(Struct, frozen=True, kw_only=True):
    """The names that lead to the same place: a tier, other hosts, or both; ``tier`` may be empty."""

    names: tuple[str, ...]
    tier: str
    hosts: tuple[str, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """All of them, in words."""
        return (*([self.tier] if self.tier else []), *(f"host {host}" for host in self.hosts))


class RouterBox(Struct, frozen=True, kw_only=True):
    """The router, with its routes in each mode: all of the default one, of the others those that differ."""

    title: str
    service: str
    address: str
    keys: tuple[str, ...]
    routes: Mapping[str, tuple[RouteLine, ...]]
    state: str = ""


class HostBox(Struct, frozen=True, kw_only=True):
    """Another host, whose models the router serves too."""

    name: str
    address: str
    models: tuple[str, ...]


class Picture(Struct, frozen=True, kw_only=True):
    """One host. ``services`` are those that are no tiers; ``experiment`` is the slot in words, empty without one."""

    host: str
    project: str
    platform: str
    gpus: tuple[GpuBar, ...]
    tiers: tuple[TierBox, ...]
    router: RouterBox | None
    services: tuple[str, ...]
    experiment: str
    hosts: tuple[HostBox, ...]
    modes: tuple[str, ...]

    @property
    def colours(self) -> Mapping[str, int]:
        """The number of each tier's colour."""
        return {tier.name: number for number, tier in enumerate(self.tiers)}

    @property
    def is_live(self) -> bool:
        """Whether it shows what runs."""
        return any(tier.state for tier in self.tiers)

    @property
    def summary(self) -> str:
        """What it has, counted."""
        names = {bar.gpu for bar in self.gpus}
        counts = [(len(names), "GPU"), (len(self.tiers), "tier"), (len(self.modes), "mode")]
        return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count)

    def tier(self, name: str) -> TierBox | None:
        """Return a tier by its name; None for what is no tier."""
        return next((tier for tier in self.tiers if tier.name == name), None)


def picture_of(stack: Stack, catalog: Catalog, fit: HostFit) -> Picture:
    """Return the picture of a host, from its inventory and what its models take."""
    router = stack.router
    return Picture(
        host=stack.host,
        project=stack.project,
        platform=stack.platform,
        gpus=tuple(_bars(stack, fit)),
        tiers=tuple(_tier(tier, stack) for tier in stack.tiers),
        router=_router(stack, router, catalog) if router is not None else None,
        services=tuple(service.name for service in stack.services),
        experiment=_experiment(stack),
        hosts=_hosts(router) if router is not None else (),
        modes=tuple(mode.title for mode in stack.modes),
    )


def with_states(picture: Picture, states: Mapping[str, str] | None) -> Picture:
    """Return the same with what the services do, by the names of tiers and of the router; None: nobody knows."""
    known, other = (states, "absent") if states is not None else ({}, "unknown")
    tiers = tuple(replace(tier, state=known.get(tier.name, other)) for tier in picture.tiers)
    router = picture.router
    own = None if router is None else replace(router, state=known.get(router.service, other))
    return replace(picture, tiers=tiers, router=own)


def _tier(tier: Tier, stack: Stack) -> TierBox:
    ports = tier.service.ports
    return TierBox(
        name=tier.name,
        engine=tier.engine,
        model=printable(_model(tier)),
        task=tier.task,
        gpus=tier.gpu_request.words if tier.gpu_request is not None else (),
        address=_address(ports[0]) if ports else _on_link(tier),
        modes=tuple(mode.title for mode in stack.modes if tier.name in [one.name for one in mode.tiers]),
        rank="" if tier.rank is None else f"rank {tier.rank.number} of {len(tier.rank.hosts)} in {tier.rank.group}",
    )


def _on_link(tier: Tier) -> str:
    """Return where the head of a group is reached that is on the host's network; empty for everything else."""
    rank = tier.rank
    return f"{rank.address}:{tier.container_port}" if rank is not None and rank.is_head and rank.address else ""


def _model(tier: Tier) -> str:
    model = tier.options.model
    if not isinstance(model, ModelTable):
        return tier.served_name
    written = [getattr(model, kind) for kind in ("file", "path", "repo", "folder", "presets")]
    return next((as_text(value) for value in written if isinstance(value, str) and value), tier.served_name)


def _address(port: Port) -> str:
    """Return where a published port is reached."""
    return f"{port.host or _ALL}:{compose_text(port.number)}"


def _router(stack: Stack, router: Router, catalog: Catalog) -> RouterBox:
    kind = catalog.router(router.kind)
    scheme = "https" if router.limits.tls is not None else "http"
    where = _address(router.ports[0]) if router.ports else f"{router.service}:{router.port}"
    return RouterBox(
        title=kind.title if kind is not None else router.kind,
        service=router.service,
        address=f"{scheme}://{where}",
        keys=tuple(client.variable or f"{client.name} (by digest)" for client in router.clients),
        routes={mode.title: tuple(_routes(mode, stack.modes[0])) for mode in stack.modes},
    )


def _routes(mode: Mode, default: Mode) -> Iterator[RouteLine]:
    """Yield the routes of a mode; of another one than the default those that differ from it."""
    usual = {} if mode is default else _targets(default)
    by_target: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, target in _targets(mode).items():
        if usual.get(name) != target:
            by_target.setdefault(target, []).append(printable(name))
    for (tier, hosts), names in by_target.items():
        yield RouteLine(names=tuple(names), tier=tier, hosts=hosts)


def _targets(mode: Mode) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return where each name leads: to a tier, and to hosts."""
    routes = mode.router.routes if mode.router is not None else ()
    return {route.name: ("" if route.how == "host" else route.tier, route.hosts) for route in routes}


def _hosts(router: Router) -> tuple[HostBox, ...]:
    return tuple(
        HostBox(
            name=peer.name,
            address=f"{'https' if peer.tls else 'http'}://{peer.address}:{peer.port}",
            models=tuple(printable(model.name) for model in peer.models),
        )
        for peer in router.others.peers
    )


def _experiment(stack: Stack) -> str:
    slot = stack.experiment
    if slot is None:
        return ""
    return f"{slot.engine} on {slot.options.gpu or 'no GPU'}, port {slot.port}"


def _bars(stack: Stack, fit: HostFit) -> Iterator[GpuBar]:
    """Yield each GPU in the default mode, and in each other one where it is used otherwise."""
    estimates = {tier.tier: tier for tier in fit.tiers}
    for gpu in stack.gpus:
        own = [one for one in fit.gpus if one.gpu == gpu.name and not one.with_experiment]
        found = {one.mode: _bar(one, estimates) for one in own}
        usual = found.get(stack.modes[0].title) or _free(gpu, stack.modes[0].title)
        yield usual
        for mode in stack.modes[1:]:
            bar = found.get(mode.title) or _free(gpu, mode.title)
            if bar.segments != usual.segments:
                yield bar


def _free(gpu: Gpu, mode: str) -> GpuBar:
    memory = None if gpu.memory_mib is None else float(gpu.memory_mib * MIB)
    return GpuBar(
        gpu=gpu.name, mode=mode, memory=memory, segments=tuple(_rest((), memory, gpu.reserve_mib)), verdict="fits"
    )


def _bar(load: GpuFit, fits: Mapping[str, TierFit]) -> GpuBar:
    taken = tuple(segment for part in load.parts for segment in _segments(part, fits.get(part.server)))
    memory = None if load.memory is None else float(load.memory)
    rest = _rest(taken, memory, load.reserve // MIB)
    return GpuBar(gpu=load.gpu, mode=load.mode, memory=memory, segments=(*taken, *rest), verdict=load.verdict)


def _rest(taken: Iterable[Segment], memory: float | None, reserve_mib: int) -> Iterator[Segment]:
    """Yield what is kept free of tiers, and what nobody takes, as far as that is known."""
    reserve = float(reserve_mib * MIB)
    if reserve:
        yield Segment(tier="", kind="reserved", size=reserve)
    sizes = [segment.size for segment in taken]
    free = None if memory is None else memory - reserve - sum(size or 0 for size in sizes)
    if None not in sizes and free is not None and free > 0:
        yield Segment(tier="", kind="free", size=free)


def _segments(part: Part, fit: TierFit | None) -> Iterator[Segment]:
    """Yield what a tier takes: weights, overhead and cache where all are known, else its share."""
    size = None if part.size is None else float(part.size.high)
    parts = _ledger(fit.estimate, size) if fit is not None and fit.estimate is not None and size is not None else {}
    for kind, amount in (parts or {"share": size}).items():
        if amount is None or amount > 0:
            yield Segment(tier=part.server, kind=kind, size=amount)


def _ledger(estimate: Estimate, size: float) -> dict[str, float | None]:
    """Return a tier's share by what it is for; nothing where its weights are not known, or are more than that."""
    weights, overhead = estimate.weights.expected, estimate.overhead.high
    if weights is None or weights + overhead > size:
        return {}
    return {"weights": float(weights), "overhead": overhead, "cache": size - weights - overhead}
