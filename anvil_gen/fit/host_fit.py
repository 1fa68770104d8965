"""What all model servers of a host take, and whether those that can run together fit their GPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.catalog.architectures import Architectures, architectures
from anvil_gen.catalog.engine_memory import EngineMemory, Interval, engine_memory
from anvil_gen.catalog.release import image_version, plain_image
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.fit.estimate import Case, Estimate, Verdict, exactly, gib, verdict_of
from anvil_gen.fit.extras import with_extras
from anvil_gen.fit.facts_source import cached_facts, facts_of_path, locked_facts
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import UnknownTypeError, settings_of
from anvil_gen.fit.tier_request import tier_request
from anvil_gen.host_paths import is_absolute, join
from anvil_gen.inventory.schema_model import ModelTable, WeightsTable
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Stack, Tier

MIB = 1 << 20
HubFacts = Callable[[str, str | None], ModelFacts]
"""Asks the Hugging Face Hub about a repository at a revision."""
UNKNOWN_MEMORY = 1 << 60
"""Of a case whose GPUs are not known: nothing is larger."""


class TierFit(Struct, frozen=True, kw_only=True):
    """A tier's model on its GPUs; without an estimate, ``reasons`` say why there is none."""

    tier: str
    engine: str
    model: str
    gpus: tuple[str, ...]
    estimate: Estimate | None
    verdict: Verdict
    reasons: tuple[str, ...]
    usual_share: float | None = None
    """Of each GPU: what its engine takes of it whatever the model is, where the tier does not say it."""


class Part(Struct, frozen=True, kw_only=True):
    """What one server takes of a GPU, in bytes; without ``size``, that is not known."""

    server: str
    size: Interval | None


class GpuFit(Struct, frozen=True, kw_only=True):
    """A GPU with all that runs on it together, in bytes. ``with_experiment``: a trial runs next to it."""

    gpu: str
    mode: str
    with_experiment: bool
    memory: int | None
    reserve: int
    parts: tuple[Part, ...]
    verdict: Verdict
    reason: str


class HostFit(Struct, frozen=True, kw_only=True):
    """The tiers of a host, and its GPUs in each mode."""

    host: str
    tiers: tuple[TierFit, ...]
    gpus: tuple[GpuFit, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        verdicts = {*(one.verdict for one in self.tiers), *(one.verdict for one in self.gpus)}
        return "does not fit" if "does not fit" in verdicts else "unsure" if "unsure" in verdicts else "fits"


def host_fit(host: Host, names: Sequence[str], ask_hub: HubFacts | None) -> HostFit:
    """Return whether a host's tiers fit, or those of some names.

    Raises:
        DiagnosticError: the inventory or a lock has errors.
    """
    return _fit(host, names, Models(host, ask_hub))


def locked_fit(host: Host) -> HostFit:
    """Return the same by the facts of the host's locks alone: as on every machine.

    Raises:
        DiagnosticError: the inventory or a lock has errors.
    """
    return _fit(host, (), Models(host, None))


def _fit(host: Host, names: Sequence[str], models: Models) -> HostFit:
    fits = {tier.name: tier_fit(host, tier, models) for tier in host.stack.tiers if not names or tier.name in names}
    sharing = [tier for tier in host.stack.tiers if tier.name not in fits and _shares_gpu(tier, host.stack, fits)]
    others = {tier.name: tier_fit(host, tier, models) for tier in sharing}
    touched = {name for fit in fits.values() for name in fit.gpus}
    gpus = [gpu for gpu in host.stack.gpus if not names or gpu.name in touched]
    loads = tuple(load for gpu in gpus for load in _loads(host.stack, gpu, {**others, **fits}))
    return HostFit(host=host.name, tiers=tuple(fits.values()), gpus=loads)


def _shares_gpu(tier: Tier, stack: Stack, chosen: Iterable[str]) -> bool:
    """Tell whether a tier is on a GPU of one that was asked for."""
    held = [gpu for other in stack.tiers if other.name in chosen for gpu in other.gpus]
    return any(tier.may_hold(gpu) for gpu in held)


class Models:
    """Finds the facts of the models of a host: in its locks, on this machine, at the Hub; without it, in the locks."""

    def __init__(self, host: Host, ask_hub: HubFacts | None) -> None:
        self._host, self._ask_hub = host, ask_hub
        self._locked = locked_facts(host.path)
        self._known: Architectures = architectures(host.catalog)

    def place(self, local: str) -> Path | None:
        """Return where something of the folder of models is; None where the locks alone are read."""
        base = self._host.models
        path = Path(local if is_absolute(local) or base is None else join(base, local))
        return None if self._ask_hub is None else path

    def facts(self, model: WeightsTable) -> ModelFacts:
        """Return the facts of a tier's model.

        Raises:
            DiagnosticError: there are none to be had.
        """
        locked = self._locked.get(_key(model))
        if locked is not None:
            return locked
        if self._ask_hub is None:
            raise DiagnosticError([])
        local = model.file if model.file is not UNSET else model.path
        place = self.place(local) if local is not UNSET else None
        if place is not None:
            return facts_of_path(place, self._known)
        repo, revision = str(model.repo), None if model.revision is UNSET else str(model.revision)
        cache = self._host.inventory.hfcache.path
        cached = cached_facts(Path(cache), repo, revision, self._known) if cache is not UNSET else None
        return cached if cached is not None and cached.bytes.total else self._ask_hub(repo, revision)


def _key(model: WeightsTable) -> str:
    """Return how a lock names a model."""
    named = next((value for value in (model.file, model.path, model.repo) if value is not UNSET), "")
    return str(named) if model.revision is UNSET else f"{named}@{model.revision}"


def _model_name(tier: Tier) -> str:
    model = tier.options.model
    if not isinstance(model, ModelTable):
        return ""
    named = [getattr(model, kind) for kind in ("file", "path", "repo") if getattr(model, kind) is not UNSET]
    return str(named[0]) if named else ""


def tier_fit(host: Host, tier: Tier, models: Models) -> TierFit:
    """Return a tier's model on its GPUs."""
    found, reasons, open_points = _estimate(host, tier, models)
    verdict: Verdict = "unsure" if found is None else found.verdict
    if verdict == "fits" and open_points:
        verdict = "unsure"
    return TierFit(
        tier=tier.name,
        engine=tier.engine,
        model=_model_name(tier),
        gpus=tuple(gpu.name for gpu in tier.gpus),
        estimate=found,
        verdict=verdict,
        reasons=(*reasons, *(found.reasons if found is not None else ()), *open_points),
        usual_share=_usual_share(host, tier),
    )


def _usual_share(host: Host, tier: Tier) -> float | None:
    rules, engine = engine_memory(host.catalog, tier.engine), host.catalog.engine(tier.engine)
    if rules is None or engine is None or not tier.gpus:
        return None
    known = rules.of_version(image_version(engine, plain_image(tier.service.image)) or None)
    return known.fraction if known.takes == "share" else None


def _estimate(host: Host, tier: Tier, models: Models) -> tuple[Estimate | None, tuple[str, ...], tuple[str, ...]]:
    """Return what a tier takes; without it, why that cannot be said; and what is not counted."""
    case, why, open_points = case_of(host, tier, models)
    if case is None:
        return None, why, ()
    found = estimate(case)
    is_known = case.memory != UNKNOWN_MEMORY
    return (found, (), open_points) if is_known else (_without_room(found), why, open_points)


def case_of(host: Host, tier: Tier, models: Models) -> tuple[Case | None, tuple[str, ...], tuple[str, ...]]:
    """Return a tier as a case; without it, why there is none; why its memory is not known, and what is not counted."""
    rules, engine = engine_memory(host.catalog, tier.engine), host.catalog.engine(tier.engine)
    if rules is None or engine is None:
        return None, (f'how the engine "{tier.engine}" takes memory is not known',), ()
    model = tier.options.model
    if not isinstance(model, ModelTable) or not _model_name(tier):
        return None, ("the inventory does not name one model",), ()
    known = rules.of_version(image_version(engine, plain_image(tier.service.image)) or None)
    memory, unknown = _memory_of(tier, known)
    try:
        facts = models.facts(model)
    except DiagnosticError as error:
        why = tuple(f"{one.detail}: {one.remedy}" if one.remedy else one.detail for one in error.diagnostics)
        return None, why, ()
    case = Case(
        facts=facts,
        request=tier_request(tier, engine, rules),
        rules=known,
        memory=memory or UNKNOWN_MEMORY,
        has_gpu=tier.gpu_request is not None,
    )
    try:
        settings_of(case.request, facts, case.rules, 0)
        case, open_points = with_extras(case, tier, models.facts, models.place)
    except UnknownTypeError as error:
        return None, (f"the type of its cache is not known: {error}",), ()
    return case, (unknown,) if unknown else (), open_points


def _without_room(found: Estimate) -> Estimate:
    """Return an estimate of what a model takes where nothing is known of what there is."""
    return replace(found, verdict="unsure", reasons=(), max_context=None)


def _memory_of(tier: Tier, rules: EngineMemory) -> tuple[int | None, str]:
    """Return the memory of the smallest of a tier's GPUs that its engine reckons with, and why it is not known."""
    if tier.gpu_request is None:
        return None, "it runs on the processor: the memory of the host is not in the inventory"
    sizes = [gpu.memory_mib for gpu in tier.gpus]
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(sizes):
        return None, "the memory of its GPUs is not in the inventory: write memory_mib in [gpus]"
    # A share is one of the whole GPU, whatever else is on it: the engine is told it, or has one of its own.
    is_share = tier.share is not None or rules.fraction is not None
    reserved = 0 if is_share else max(gpu.reserve_mib for gpu in tier.gpus)
    return (min(known) - reserved) * MIB, ""


def _loads(stack: Stack, gpu: Gpu, fits: dict[str, TierFit]) -> Iterator[GpuFit]:
    """Yield a GPU in each mode, and next to the default mode with a trial in the experiment slot."""
    for mode in stack.modes:
        loads = [[_part(tier, fits, gpu) for tier in tiers if tier.may_hold(gpu)] for tiers in mode.together]
        if parts := max(loads, key=_size):
            yield _gpu_fit(gpu, mode.title, parts, with_experiment=False)
    slot = stack.experiment
    if slot is not None and slot.options.gpu == gpu.name:
        share = None if slot.share is None or gpu.memory_mib is None else float(slot.share) * gpu.memory_mib * MIB
        trial = Part(server="experiment", size=None if share is None else exactly(share))
        parts = [_part(tier, fits, gpu) for tier in stack.modes[0].tiers if tier.may_hold(gpu)]
        yield _gpu_fit(gpu, stack.modes[0].title, [*parts, trial], with_experiment=True)


def _size(parts: list[Part]) -> tuple[float, int]:
    return sum(part.size.high for part in parts if part.size is not None), len(parts)


def _part(tier: Tier, fits: dict[str, TierFit], gpu: Gpu) -> Part:
    return Part(server=tier.name, size=taken(tier, fits.get(tier.name), gpu))


def taken(tier: Tier, fit: TierFit | None, gpu: Gpu) -> Interval | None:
    """Return what a tier takes of a GPU: its share where it says one or its engine has one, else what it needs."""
    if tier.share is not None and gpu.memory_mib is not None:
        return exactly(float(tier.share) * gpu.memory_mib * MIB)
    if fit is not None and fit.estimate is None and fit.usual_share is not None and gpu.memory_mib is not None:
        return exactly(fit.usual_share * gpu.memory_mib * MIB)
    return fit.estimate.total if fit is not None and fit.estimate is not None else None


def _gpu_fit(gpu: Gpu, mode: str, parts: list[Part], *, with_experiment: bool) -> GpuFit:
    memory = None if gpu.memory_mib is None else gpu.memory_mib * MIB
    sizes = [part.size for part in parts if part.size is not None]
    reserve = gpu.reserve_mib * MIB
    taken = Interval(low=sum(size.low for size in sizes) + reserve, high=sum(size.high for size in sizes) + reserve)
    verdict, reason = _verdict(memory, taken, [part.server for part in parts if part.size is None])
    return GpuFit(
        gpu=gpu.name,
        mode=mode,
        with_experiment=with_experiment,
        memory=memory,
        reserve=reserve,
        parts=tuple(parts),
        verdict=verdict,
        reason=reason,
    )


def _verdict(memory: int | None, taken: Interval, unknown: list[str]) -> tuple[Verdict, str]:
    if memory is None:
        return "unsure", "its memory is not in the inventory: write memory_mib in [gpus]"
    verdict = verdict_of(taken, exactly(memory))
    if verdict == "does not fit":
        return verdict, f"together they take at least {gib(taken.low)} of {gib(memory)}"
    if unknown:
        return "unsure", f"what {', '.join(unknown)} takes is not known"
    if verdict == "unsure":
        return verdict, f"together they take {gib(taken.low)} to {gib(taken.high)} of {gib(memory)}"
    return verdict, ""
