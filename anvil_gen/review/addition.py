"""A model that becomes a tier: chosen, put into the inventory, with what it takes and what it changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, convert

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.fit.choose import Choice, Wish, choose
from anvil_gen.fit.host_fit import HostFit, HubFacts, Models, host_fit, tier_fit
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.inventory.fields import NAME_LENGTH
from anvil_gen.inventory.schema_model import ModelTable
from anvil_gen.operate.added_tier import AddedTier, add_tier, name_diagnostics, ports_in_use
from anvil_gen.operate.experiment.tier_from_trial import free_port
from anvil_gen.resolve.host import Host
from anvil_gen.review.host_plan import HostPlan, against_disk

_GGUF = ".gguf"
_USUAL_PORT = 8000


class Addition(Struct, frozen=True, kw_only=True):
    """A tier that is not yet written: why it is so, what it takes, what a render would change."""

    choice: Choice
    added: AddedTier
    fit: HostFit
    plan: HostPlan
    warnings: tuple[Diagnostic, ...]


def addition_of(
    host: Host, wish: Wish, ask_hub: HubFacts, generator: Generator, *, name: str | None = None
) -> Addition:
    """Return a model as a tier of a host.

    Raises:
        DiagnosticError: the model cannot be read, nothing serves it, or the inventory would have errors.
    """
    ask = _once(ask_hub)
    models = Models(host, ask)
    if name is not None:
        diagnostics = list(name_diagnostics(host, name))
        if diagnostics:
            raise DiagnosticError(diagnostics)
    facts = models.facts(convert(dict(wish.table), ModelTable))
    choice = choose(host, facts, wish, {tier.name: tier_fit(host, tier, models) for tier in host.stack.tiers})
    table = dict(_with_port(host, choice))
    added = add_tier(host, name or free_name(host, wish.model), table, standby=wish.standby)
    plan = generator.render(host.path, text=added.text.removeprefix("\ufeff"))
    return Addition(
        choice=choice,
        added=added,
        fit=host_fit(added.host, [added.tier.name], ask),
        plan=against_disk([plan], generator)[0],
        warnings=plan.host.warnings,
    )


def wish_of(
    host: Host,
    model: str,
    *,
    gpus: tuple[str, ...] = (),
    engine: str | None = None,
    context: int | None = None,
    standby: bool = False,
) -> Wish:
    """Return a wish for a model as a person names it: a GGUF file, a folder, or a repository of the Hub."""
    table = _model_table(host, model)
    (named,) = table.values()
    name = named.partition(":")[0] if "repo" in table else named
    return Wish(model=name, table=table, gpus=gpus, engine=engine, context=context, standby=standby)


def _model_table(host: Host, model: str) -> Mapping[str, str]:
    """Return how an inventory names a model; what is in the folder of models by its place there."""
    base = Path(host.models) if host.models is not None else None
    path = Path(model)
    inside = base / model if base is not None else path
    place = inside if inside.exists() else path.absolute()
    if not model.endswith(_GGUF) and not place.is_dir():
        return {"repo": model}
    named = place.relative_to(base).as_posix() if base is not None and place.is_relative_to(base) else place.as_posix()
    return {"file" if model.endswith(_GGUF) else "path": named}


def free_name(host: Host, model: str) -> str:
    """Return a name for a model's tier: the model's own, counted where it is taken."""
    last = model.rstrip("/").rpartition("/")[2].lower().removesuffix(_GGUF)
    name = re.sub(r"[^a-z0-9._-]+", "-", last).strip("-_.")[: NAME_LENGTH - 3] or "model"
    stack = host.stack
    taken = {tier.name for tier in stack.tiers} | {service.name for service in stack.services}
    taken |= {one for tier in stack.tiers for one in tier.names}
    taken |= {route.name for route in stack.router.routes} if stack.router is not None else set()
    return next(text for text in _counted(name) if text not in taken)


def _counted(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _with_port(host: Host, choice: Choice) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a tier's table, with a port that nothing else in the inventory has."""
    taken, engine = ports_in_use(host.stack), host.catalog.engine(choice.engine)
    usual = int(engine.defaults.get("port", _USUAL_PORT)) if engine is not None else _USUAL_PORT
    port = free_port(max((tier.port for tier in host.stack.tiers), default=usual - 1) + 1, taken)
    for key, value in choice.table.items():
        yield key, value
        if key == ("gpus" if "gpus" in choice.table else "engine") and port is not None:
            yield "port", port


def _once(ask: HubFacts) -> HubFacts:
    """Return what asks about a model once."""
    known: dict[tuple[str, str | None], ModelFacts] = {}

    def asked(repo: str, revision: str | None) -> ModelFacts:
        if (repo, revision) not in known:
            known[repo, revision] = ask(repo, revision)
        return known[repo, revision]

    return asked
