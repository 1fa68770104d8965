"""How a model would best be served on a host: an engine, GPUs that take it, a context, its flags."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.engine_memory import EngineMemory, engine_memory
from anvil_gen.catalog.engine_parts import Picked
from anvil_gen.catalog.flag_timeline import version_key
from anvil_gen.catalog.model_families import ModelFamily, family_of, family_of_architecture, model_families
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, join_words
from anvil_gen.fit.estimate import Case
from anvil_gen.fit.host_fit import MIB, UNKNOWN_MEMORY, TierFit
from anvil_gen.fit.host_suggest import PlaceFit, place_fits
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import GIB, Request
from anvil_gen.fit.setups import LEAST, USUAL, Setup, best_setup, setup_at, with_less
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model_needs import flags_of
from anvil_gen.values import Number

_CONVERTED = lazy_pattern(r"awq|gptq|w4a16|w8a8|nvfp4|bnb|gguf|exl", re.IGNORECASE)
_STEP_MIB = 512
_SMALL_SHARE = 0.7


class Wish(Struct, frozen=True, kw_only=True):
    """What a person asks for; None and nothing are left to the choice."""

    model: str  # its name, for its family
    table: Mapping[str, str]  # as an inventory has it
    gpus: tuple[str, ...] = ()
    engine: str | None = None
    context: int | None = None
    standby: bool = False


class _Server(Struct, frozen=True, kw_only=True):
    """An engine, and how its newest version takes memory."""

    name: str
    engine: Engine
    rules: EngineMemory


class Choice(Struct, frozen=True, kw_only=True):
    """What was chosen, as a table of the inventory without its port; ``notes`` say why, for people."""

    engine: str
    table: Mapping[str, Any]
    family: ModelFamily | None
    task: str
    setup: Setup
    notes: tuple[str, ...]


def choose(host: Host, facts: ModelFacts, wish: Wish, fits: Mapping[str, TierFit]) -> Choice:
    """Return how a model would best be served; ``fits`` are the host's tiers.

    Raises:
        DiagnosticError: no engine serves it, or no GPU takes it.
    """
    family, by_name = _family(host.catalog, facts, wish.model)
    task = (family.task if family is not None else "") or "chat"
    gpus = _gpus(host, wish.gpus)
    server = _server(host.catalog, facts, task, wish.engine, gpus)
    cache = family.cache.get(server.name) if family is not None else None
    request = Request(context=wish.context, kv_dtype=cache)
    setup = _setup(host, fits, server, Case(facts=facts, request=request, rules=server.rules, memory=0), wish)
    flags = _flags(family, server, facts, wish.model) if family is not None else {}
    notes = tuple(_notes(family, by_name, setup, server))
    table = _table(server, wish, setup, task=task, flags=flags)
    return Choice(engine=server.name, table=table, family=family, task=task, setup=setup, notes=notes)


def _family(catalog: Catalog, facts: ModelFacts, model: str) -> tuple[ModelFamily | None, bool]:
    """Return the family of a model, and whether its name says it."""
    families = model_families(catalog)
    named = family_of(model, families)
    return (named, True) if named is not None else (family_of_architecture(facts.architecture, families), False)


def _gpus(host: Host, names: Sequence[str]) -> tuple[Gpu, ...]:
    """Return the GPUs of some names; all of the host for none."""
    known = {gpu.name: gpu for gpu in host.stack.gpus}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DiagnosticError(
            Diagnostic(
                code="unknown-gpu",
                detail=f'"{name}" is not in [gpus] (defined: {join_words(known) or "none"})',
                remedy="name one of them",
            )
            for name in unknown
        )
    return tuple(known[name] for name in names) if names else tuple(known.values())


def _server(catalog: Catalog, facts: ModelFacts, task: Any, asked: str | None, gpus: Sequence[Gpu]) -> _Server:
    """Return the engine that is asked for, or the one that serves such a model best.

    Raises:
        DiagnosticError: there is none, or it is not known how it takes memory.
    """
    if asked is not None and catalog.engine(asked) is None:
        detail, remedy = catalog.unknown("engines", asked)
        raise DiagnosticError([Diagnostic(code="unknown-engine", detail=detail, remedy=remedy)])
    ranked = sorted(_ranked(catalog, facts, task, gpus))
    name = asked or next((name for _, name in ranked), None)
    if name is None:
        on = join_words({gpu.vendor for gpu in gpus}) or "the processor"
        detail = f"no engine is known that serves {facts.format} files for {task} on {on}"
        remedy = "name one with --engine, or the same model as a GGUF file"
        raise DiagnosticError([Diagnostic(code="no-engine-for-the-model", detail=detail, remedy=remedy)])
    engine, rules = catalog.engine(name), engine_memory(catalog, name)
    if engine is None or rules is None:
        detail = f'how the engine "{name}" takes memory is not known'
        remedy = "write the tier into the inventory, or name another engine"
        raise DiagnosticError([Diagnostic(code="no-engine-for-the-model", detail=detail, remedy=remedy)])
    return _Server(name=name, engine=engine, rules=rules.of_version(None))


def _ranked(catalog: Catalog, facts: ModelFacts, task: Any, gpus: Sequence[Gpu]) -> Iterator[tuple[int, str]]:
    """Yield the engines that serve a model on some GPUs, each with its rank."""
    for name in catalog.names("engines"):
        engine = catalog.engine(name)
        picked = engine.picked if engine is not None else None
        if picked is None or facts.format not in picked.formats or task not in picked.tasks:
            continue
        patterns = picked.architectures.get(task, ("*",))
        serves = any(fnmatchcase(facts.architecture, pattern) for pattern in patterns) or facts.format == "gguf"
        if serves and (_usable(picked, gpus) if gpus else "cpu" in picked.vendors):
            yield picked.tasks[task], name


def _usable(picked: Picked, gpus: Sequence[Gpu]) -> list[Gpu]:
    """Return the GPUs that an engine is taken for."""
    least = version_key(picked.compute_capability_from)
    return [
        gpu
        for gpu in gpus
        if gpu.vendor in picked.vendors
        and (gpu.compute_capability is None or version_key(gpu.compute_capability) >= least)
    ]


def _setup(host: Host, fits: Mapping[str, TierFit], server: _Server, case: Case, wish: Wish) -> Setup:
    """Return the best place with its settings.

    Raises:
        DiagnosticError: no GPU takes the model.
    """
    gpus = _gpus(host, wish.gpus)
    if not gpus:
        return _on_processor(case)
    picked = server.engine.picked
    usable = _usable(picked, gpus) if picked is not None else list(gpus)
    there = place_fits(host.stack, fits, server.engine, case, alone=wish.standby)
    found = [one for one in there if _is_asked(one, wish, usable)]
    setups = [setup_at(one.placed, server.engine, wish.context) for one in found if one.placed is not None]
    fitting = [setup for setup in setups if setup.verdict != "does not fit"]
    if not fitting:
        raise DiagnosticError([_no_place(case.facts, found, wish)])
    target = min(wish.context or USUAL, case.facts.max_context or USUAL) if server.rules.cache != "none" else 0
    return with_less(best_setup(fitting, target))


def _on_processor(case: Case) -> Setup:
    """Return a model on the processor, of whose memory nothing is known."""
    short = None if case.rules.cache == "none" else min(LEAST, case.facts.max_context or LEAST)
    context = case.request.context or short
    on_host = replace(case, has_gpu=False, memory=UNKNOWN_MEMORY, request=replace(case.request, context=context))
    found = replace(estimate(on_host), verdict="unsure")
    return Setup(placed=None, context=context, kv_dtype=None, max_sequences=None, estimate=found)


def _is_asked(one: PlaceFit, wish: Wish, usable: Sequence[Gpu]) -> bool:
    if wish.gpus:
        return set(one.place.names) == set(wish.gpus)
    return all(gpu in usable for gpu in one.place.gpus)


def _no_place(facts: ModelFacts, found: Sequence[PlaceFit], wish: Wish) -> Diagnostic:
    """Return why a model is nowhere."""
    why = []
    for one in found:
        names = " + ".join(one.place.names)
        if one.placed is not None:
            why.append(f"{names}: {next(iter(one.placed.estimate.reasons), one.placed.estimate.verdict)}")
        else:
            why.append(f"{names}: {one.place.blocked or 'it cannot be divided between so many'}")
    size = f"{facts.bytes.total / GIB:.1f} GiB of weights"
    detail = "; ".join(why) or f"{size}, and none of the GPUs is one that the engine takes"
    is_held = any(one.place.beside or one.place.blocked for one in found)
    has_room = any(one.placed is not None and one.placed.estimate.kv.high > 0 for one in found)
    ways = ["a smaller quantisation of it (FP8, AWQ, GGUF)"]
    ways += ["a shorter context with --context"] if has_room else []
    remedy = f"name {' or '.join(ways)}" + (", or free a GPU" if is_held else "")
    if any(one.place.beside for one in found):
        remedy = f"{remedy}; with --standby it runs in a mode without the tiers that are there"
    if wish.gpus and len(wish.gpus) > 1 and not why:
        remedy = "name equal GPUs, of a number that divides the model's heads"
    return Diagnostic(code="no-gpu-takes-the-model", detail=detail, remedy=remedy)


def _flags(family: ModelFamily, server: _Server, facts: ModelFacts, model: str) -> dict[str, Any]:
    """Return the flags that a family wants; those of its original files for no converted ones."""
    original = facts.format == "safetensors" and _CONVERTED.search(model) is None
    wanted = flags_of(family, server.name, server.engine) if not family.task else {}
    return {**wanted, **(family.flags.get(server.name, {}) if original else {})}


def _notes(family: ModelFamily | None, by_name: bool, setup: Setup, server: _Server) -> Iterator[str]:
    engine = server.engine
    if family is None and "tools" in engine.model_flags:
        yield "it is of no known family: parsers of its tool calls and reasoning are yours to add"
    elif family is not None:
        known = "" if by_name else ", by its architecture alone: check its parsers"
        yield f"family: {family.title}{known} ({family.source})"
        yield from family.quirks
    if setup.kv_dtype is not None:
        is_asked = family is not None and family.cache.get(server.name) == setup.kv_dtype
        why = "as its family has it" if is_asked else "so that the context is long enough"
        yield f"its cache in {setup.kv_dtype}, {why}"
    if setup.max_sequences is not None:
        why = "so that each has its state for certain" if setup.has_states else "so that more is left for the context"
        yield f"no more than {setup.max_sequences} sequences, {why}"
    stated = setup.placed.share if setup.placed is not None else None
    if stated is not None and stated <= _SMALL_SHARE and setup.placed is not None and not setup.placed.place.beside:
        yield f"{stated:.0%} of the GPU hold as many requests as it will have: the rest is free for other tiers"
    if setup.placed is not None and setup.placed.place.beside:
        yield f"next to {join_words(setup.placed.place.beside)}: it gets what they leave"
    if setup.placed is None:
        yield f"{engine.title} on the processor: nothing is known of the host's memory"


def _table(server: _Server, wish: Wish, setup: Setup, *, task: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tier's table, without its port, in the usual order of its keys."""
    table: dict[str, Any] = {"engine": server.name}
    if setup.placed is not None:
        table["gpus"] = list(setup.placed.place.names)
    if task != "chat":
        table["task"] = task
    table["model"] = dict(wish.table)
    context = setup.context if "context_length" in server.engine.fields else None
    fields = {"context_length": context, "max_sequences": setup.max_sequences, "kv_cache_dtype": setup.kv_dtype}
    table |= {name: value for name, value in fields.items() if value is not None}
    standby = {"standby": True} if wish.standby else {}
    return {**table, **_share(setup), **standby, **({"flags": dict(sorted(flags.items()))} if flags else {})}


def _share(setup: Setup) -> dict[str, Any]:
    """Return what a tier states of its share: as a fraction where the engine takes one, else what it needs."""
    placed = setup.placed
    if placed is None or setup.estimate is None:
        return {}
    if placed.case.rules.takes == "share":
        return {} if placed.share is None else {"gpu_memory_utilization": Number(f"{placed.share:.2f}")}
    if len(placed.place.gpus) > 1:
        return {}
    free = int(placed.place.memory * placed.place.free / MIB)
    needed = min(math.ceil(setup.estimate.total.high / MIB / _STEP_MIB) * _STEP_MIB, free)
    return {"gpu_memory": f"{needed // 1024}GiB" if needed % 1024 == 0 else f"{needed}MiB"}
