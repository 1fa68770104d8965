"""A tier's or the experiment's table, checked and with its options resolved: the same way for both."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct

from anvil_gen.catalog import Catalog, Engine, Quirk
from anvil_gen.command import canonical_flag
from anvil_gen.diagnostics import did_you_mean, listing
from anvil_gen.inventory import ExperimentTable, Inventory, TierTable
from anvil_gen.model import Gpu, KeyPath, Number, Options, Symbol, Text
from anvil_gen.options import Layer, filled, given, layered
from anvil_gen.report import Report

# Options of an engine's flag table that no single field of a tier names.
FIELDS = {"tensor_parallel": "gpus", "revision": "model.revision", "model": "model"}
# Table of an inventory -> section of templates/defaults.toml.
_SECTIONS = {"tiers": "tier", "experiment": "experiment"}
_MIB = {"MiB": 1, "GiB": 1024}


class Site(Struct, frozen=True, kw_only=True):
    """What all serves of one inventory share."""

    inventory: Inventory
    catalog: Catalog
    report: Report
    platform: Symbol
    gpus: Mapping[str, Gpu]


class Serve(Struct, frozen=True, kw_only=True):
    """A tier's or the experiment's table on its way to a service."""

    path: KeyPath
    engine_name: Symbol
    engine: Engine
    options: Options
    gpus: tuple[Gpu, ...]


def read_serve(
    site: Site, table: TierTable | ExperimentTable, path: KeyPath, values: Mapping[str, Text]
) -> Serve | None:
    """Resolve and check the options of one serve.

    Args:
        site: what all serves share; takes the faults.
        table: the inventory's table.
        path: its key path, whose first part names its section of the defaults.
        values: what the placeholders of the defaults stand for.

    Returns:
        The serve; None, with a diagnostic, where its engine is not known.
    """
    found = _engine_of(site, table, path)
    if found is None:
        return None
    name, engine = found
    section = site.catalog.defaults[_SECTIONS[str(path[0])]]
    own = {"image": engine.image, **engine.defaults}
    if section["port"] is not None:  # the experiment's: it runs beside the tiers of the same engine
        own.pop("port", None)
    options = layered(
        Layer(name="templates/defaults.toml", values=filled(section, {**values, "engine": str(name)})),
        Layer(name=f"templates/engines/{name}/engine.toml", values=own),
        Layer(name=f"[{'.'.join(map(str, path))}]", values=given(table), path=path),
    )
    gpus = _find_gpus(site, options, path)
    serve = Serve(path=path, engine_name=name, engine=engine, options=options, gpus=gpus)
    _check_vendors(site, serve)
    _check_flags(site, serve)
    _refuse_quirks(site, serve)
    return serve


def matching_quirks(site: Site, serve: Serve) -> Iterator[Quirk]:
    """Yield the engine's quirks that apply on this platform and these cards."""
    capabilities = [_version(gpu.compute_capability) for gpu in serve.gpus if gpu.compute_capability]
    for quirk in serve.engine.quirks:
        below, start = quirk.compute_capability_below, quirk.compute_capability_from
        if quirk.platform is not None and quirk.platform != site.platform:
            continue
        if below is not None and not any(capability < _version(below) for capability in capabilities):
            continue
        if start is not None and not any(capability >= _version(start) for capability in capabilities):
            continue
        yield quirk


def share_of(site: Site, serve: Serve) -> Number | None:
    """Return the share of each card that a serve takes, from either of its two fields."""
    options = serve.options
    fraction, memory = options["gpu_memory_utilization"], options["gpu_memory"]
    if memory is None:
        return fraction if isinstance(fraction, Number) else None
    path = (*serve.path, "gpu_memory")
    if fraction is not None:
        site.report.add(
            "two fields for one thing",
            path,
            '"gpu_memory" and "gpu_memory_utilization" both say how much of a card is taken',
            "keep one of them",
        )
        return fraction if isinstance(fraction, Number) else None
    totals = {gpu.memory_mib for gpu in serve.gpus}
    total = totals.pop() if len(totals) == 1 else None
    if total is None:
        if not _cards_are_faulty(site, serve):
            why, remedy = "its cards' memory is unknown or differs", "set memory_mib of each card, all alike"
            if not serve.gpus:
                why, remedy = "it holds no card", "name the card that it holds"
            remedy = f"{remedy}, or use gpu_memory_utilization"
            site.report.add("share of a card cannot be computed", path, why, remedy)
        return None
    ten_thousandths = int(min(float(memory[:-3]) * _MIB[memory[-3:]] / total * 10_000, 20_000))
    if not 1 <= ten_thousandths <= 10_000:
        detail = f"{memory} is {'more than the card has' if ten_thousandths else 'next to nothing'}"
        site.report.add("number out of range", path, detail, f"{total} MiB at most")
        return None
    return Number(f"{ten_thousandths / 10_000:.4f}".rstrip("0").rstrip("."))


def _cards_are_faulty(site: Site, serve: Serve) -> bool:
    """Tell whether a fault of the serve's cards, or of their memory, has been told."""
    key = "gpus" if "gpus" in serve.options else "gpu"
    written = serve.options[key]
    asked = len(written) if isinstance(written, list) else int(written is not None)
    left_out = site.report.is_left_out
    return (
        len(serve.gpus) < asked
        or left_out((*serve.path, key))
        or any(left_out(("gpus", gpu.name, "memory_mib")) for gpu in serve.gpus)
    )


def _engine_of(site: Site, table: TierTable | ExperimentTable, path: KeyPath) -> tuple[Symbol, Engine] | None:
    """Return the engine that a table names; None, with a diagnostic, where it names none that exists."""
    name = table.engine
    if name is UNSET:
        engines = site.catalog.names("engines")
        site.report.missing(path, "engine", f'write engine = "…", with one of: {listing(engines)}')
        return None
    engine = site.catalog.engine(name)
    if engine is None:
        site.report.add("unknown engine", (*path, "engine"), *site.catalog.unknown("engines", name))
        return None
    return Symbol(name), engine


def _find_gpus(site: Site, options: Options, path: KeyPath) -> tuple[Gpu, ...]:
    """Return the cards of a serve, with a diagnostic for each that is unknown or named twice."""
    if "gpus" in options:
        named = [((*path, "gpus", index), name) for index, name in enumerate(options["gpus"])]
    else:
        named = [((*path, "gpu"), options["gpu"])] if options["gpu"] is not None else []
    found: list[Gpu] = []
    for here, name in named:
        gpu = site.gpus.get(name)
        if gpu is None:
            _unknown_gpu(site, name, here)
        elif gpu in found:
            site.report.add("GPU named twice", here, f'"{name}" stands in this list already', "name each card once")
        else:
            found.append(gpu)
    return tuple(found)


def _unknown_gpu(site: Site, name: str, path: KeyPath) -> None:
    known = site.inventory.gpus
    if name in known or site.report.is_left_out(("gpus", name)):  # it is there, with a fault that has been told
        return
    detail = f'"{name}" is no card of [gpus]: ' + (f"the inventory has: {listing(known)}" if known else "it has none")
    remedy = did_you_mean(name, known) or f'add a table [gpus.{name}] with its "uuid"'
    site.report.add("unknown GPU", path, detail, remedy)


def _check_vendors(site: Site, serve: Serve) -> None:
    path = (*serve.path, "gpus" if "gpus" in serve.options else "gpu")
    vendors = sorted({gpu.vendor for gpu in serve.gpus})
    if len(vendors) > 1:
        site.report.add("cards of two vendors", path, " and ".join(vendors), "one tier takes the cards of one vendor")
    for vendor in vendors:
        if vendor not in serve.engine.vendors:
            runs = listing(serve.engine.vendors) or "the processor only"
            detail = f'{serve.engine.title} has no cards of vendor "{vendor}": it runs on {runs}'
            site.report.add("not for this engine", path, detail, "take another card, or another engine")


def _check_flags(site: Site, serve: Serve) -> None:
    """Report flags that a field says already, and values that no command line can carry."""
    flags_path = (*serve.path, "flags")
    by_flag = {canonical_flag(flag): option for option, flag in serve.engine.options.items()}
    by_flag.update((canonical_flag(flag), option) for flag, option in serve.engine.aliases.items())
    spelled: dict[str, str] = {}
    for name, value in serve.options["flags"].items():
        here = (*flags_path, name)
        other = spelled.setdefault(canonical_flag(name), name)
        if other != name:
            detail = f'"{other}" is the same flag for the engine'
            site.report.add("flag written twice", here, detail, "keep one of the two", key=True)
        option = by_flag.get(canonical_flag(name))
        if option is not None:
            field = FIELDS.get(option, option)
            site.report.add(
                "flag of a field",
                here,
                f'"--{name}" is written by the field "{field}"',
                f'remove it, and set "{field}" of {".".join(map(str, serve.path))}',
                key=True,
            )
        _check_flag_value(site.report, here, value)


def _check_flag_value(report: Report, path: KeyPath, value: Any) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, list):
                report.add("wrong type", (*path, index), "a list inside a list", "a flag takes a list of values")
            else:
                _check_flag_value(report, (*path, index), item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_flag_value(report, (*path, key), item)
    elif isinstance(value, float) and not abs(value) < float("inf"):
        report.add("number out of range", path, "it is not finite", "write it as text, if the engine takes that")
    elif not isinstance(value, str | int | float):
        report.add("wrong type", path, "a date or time", "write it in quotes")


def _refuse_quirks(site: Site, serve: Serve) -> None:
    """Report options whose values do not work on this platform or these cards."""
    for quirk in matching_quirks(site, serve):
        refusal = quirk.refuse
        if refusal is not None and serve.options[refusal.option] in refusal.values:
            value = serve.options[refusal.option]
            path = (*serve.path, refusal.option)
            site.report.add("not on this card", path, f'"{value}": {quirk.reason}', refusal.remedy)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
