"""Suggestions for a host: what makes its tiers fit, and which of its GPUs take a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.flag_timeline import version_key
from anvil_gen.fit.estimate import Case
from anvil_gen.fit.host_fit import UNKNOWN_MEMORY, HubFacts, Models, TierFit, case_of, tier_fit
from anvil_gen.fit.places import Place, Placed, at_place, places
from anvil_gen.fit.suggest import Suggestion, suggest
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Stack


class PlaceFit(Struct, frozen=True, kw_only=True):
    """A place of a host, and a model at it; None where it cannot be there."""

    place: Place
    placed: Placed | None


class TierSuggestion(Struct, frozen=True, kw_only=True):
    """What is suggested for a tier, or for a model that is none yet; without facts, ``reasons`` say why nothing."""

    name: str
    suggestion: Suggestion | None
    places: tuple[PlaceFit, ...]
    reasons: tuple[str, ...] = ()


def host_suggestions(host: Host, names: Sequence[str], ask_hub: HubFacts) -> list[TierSuggestion]:
    """Return what is suggested for a host's tiers, or for those of some names.

    Raises:
        DiagnosticError: the inventory or a lock has errors.
    """
    models = Models(host, ask_hub)
    fits = {tier.name: tier_fit(host, tier, models) for tier in host.stack.tiers}
    found = []
    for tier in host.stack.tiers:
        if (names and tier.name not in names) or tier.replica_of:
            continue
        case, why, open_points = case_of(host, tier, models)
        engine = host.catalog.engine(tier.engine)
        if case is None or engine is None:
            found.append(TierSuggestion(name=tier.name, suggestion=None, places=(), reasons=why))
            continue
        known = case.memory != UNKNOWN_MEMORY
        suggestion = suggest(case, refused_types(engine, tier.gpus)) if known else None
        at = place_fits(host.stack, fits, engine, case, without=tier.name)
        found.append(TierSuggestion(name=tier.name, suggestion=suggestion, places=at, reasons=(*why, *open_points)))
    return found


def model_suggestion(host: Host, name: str, case: Case, engine: Engine, ask_hub: HubFacts) -> TierSuggestion:
    """Return which of a host's GPUs take a model that is no tier yet.

    Raises:
        DiagnosticError: the inventory or a lock has errors.
    """
    models = Models(host, ask_hub)
    fits = {tier.name: tier_fit(host, tier, models) for tier in host.stack.tiers}
    return TierSuggestion(name=name, suggestion=None, places=place_fits(host.stack, fits, engine, case))


def place_fits(
    stack: Stack, fits: Mapping[str, TierFit], engine: Engine, case: Case, *, without: str = "", alone: bool = False
) -> tuple[PlaceFit, ...]:
    """Return a model at each place of a host; ``without`` is a tier that is taken as not there, ``alone`` all are."""
    found = places(stack, fits, engine, without=without, alone=alone)
    return tuple(PlaceFit(place=place, placed=None if place.blocked else at_place(case, place)) for place in found)


def refused_types(engine: Engine, gpus: Sequence[Gpu]) -> frozenset[str]:
    """Return the types of the cache that an engine refuses on some GPUs."""
    capabilities = [version_key(gpu.compute_capability) for gpu in gpus if gpu.compute_capability]
    refusals = [
        quirk.refuse
        for quirk in engine.quirks
        if quirk.refuse is not None
        and quirk.refuse.option == "kv_cache_dtype"
        and quirk.compute_capability_below is not None
        and any(capability < version_key(quirk.compute_capability_below) for capability in capabilities)
    ]
    return frozenset(value for refusal in refusals for value in refusal.values)
