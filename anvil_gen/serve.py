"""From resolved options and an engine's data to a compose service: the same way for tiers and the experiment."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct

from anvil_gen.catalog import Catalog, Engine, Health, Quirk, Vendor
from anvil_gen.command import arguments, canonical_flag, shell_words
from anvil_gen.diagnostics import did_you_mean, listing
from anvil_gen.inventory import HfCacheTable, Inventory, ModelTable
from anvil_gen.model import (
    EnvRef,
    EnvVar,
    Gpu,
    HealthCheck,
    KeyPath,
    Mount,
    Number,
    Options,
    Port,
    Reservation,
    Service,
    Symbol,
    Text,
    concat,
    fill,
)
from anvil_gen.options import Layer, filled, layered
from anvil_gen.paths import is_absolute, join, last_part
from anvil_gen.report import Report

# Options of an engine's flag table that no single field of a tier names.
FIELDS = {"tensor_parallel": "gpus", "revision": "model.revision", "model": "model"}
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

    name: str
    path: KeyPath
    engine_name: Symbol
    engine: Engine
    options: Options
    gpus: tuple[Gpu, ...]


class Source(Struct, frozen=True, kw_only=True):
    """Where the weights come from: the engine's argument, and the mount that brings them."""

    argument: Text
    revision: str | None
    mount: Mount | None


class Facts(Struct, frozen=True, kw_only=True):
    """What a tier takes from its options, and the experiment from variables."""

    service: str
    container_name: Text
    served_name: Text
    port: Text
    uuids: tuple[Text, ...]
    share: Number | None
    source: Source | None
    extra_arguments: EnvRef | None = None


def engine_of(site: Site, table: Struct, path: KeyPath) -> tuple[Symbol, Engine] | None:
    """Return the engine that a table names; None, with a diagnostic, where it names none that exists."""
    name = getattr(table, "engine")  # noqa: B009  both tables have it, by their common base
    engines = site.catalog.names("engines")
    if name is UNSET:
        site.report.missing(path, "engine", f'write engine = "…", with one of: {listing(engines)}')
        return None
    engine = site.catalog.engine(name)
    if engine is None:
        site.report.add("unknown engine", (*path, "engine"), *site.catalog.unknown("engines", name))
        return None
    return Symbol(name), engine


def resolve_options(
    section: str,
    values: Mapping[str, Text],
    engine_name: Symbol,
    engine: Engine,
    own: Layer,
    catalog: Catalog,
) -> Options:
    """Merge the options of one serve, lowest first."""
    return layered(
        Layer(name="templates/defaults.toml", values=filled(catalog.defaults[section], values)),
        Layer(name=f"templates/engines/{engine_name}/engine.toml", values={"image": engine.image, **engine.defaults}),
        own,
    )


def find_gpus(site: Site, names: list[str], path: KeyPath) -> tuple[Gpu, ...]:
    """Return the cards of a tier, with a diagnostic for each that is unknown or named twice."""
    found: list[Gpu] = []
    for index, name in enumerate(names):
        here = (*path, index) if path[-1] == "gpus" else path
        gpu = site.gpus.get(name)
        if gpu is None:
            if name not in site.inventory.gpus:
                known = f"the inventory has: {listing(site.inventory.gpus)}" if site.inventory.gpus else "it has none"
                remedy = did_you_mean(name, site.inventory.gpus) or f'add a table [gpus.{name}] with its "uuid"'
                site.report.add("unknown GPU", here, f'"{name}" is no card of [gpus]: {known}', remedy)
        elif gpu in found:
            site.report.add("GPU named twice", here, f'"{name}" stands in this list already', "name each card once")
        else:
            found.append(gpu)
    return tuple(found)


def build_service(site: Site, serve: Serve, facts: Facts) -> Service:
    """Lay out the service of one serve."""
    options, engine = serve.options, serve.engine
    vendor = serve.gpus[0].vendor if serve.gpus else None
    command = _command(site, serve, facts)
    return Service(
        name=facts.service,
        container_name=facts.container_name,
        image=options["image"],
        entrypoint=engine.entrypoint,
        command=command,
        words=shell_words(command, facts.extra_arguments) if facts.extra_arguments else (),
        environment=_environment(site, serve, vendor, facts.uuids),
        ports=(Port(bind=options["bind"], number=facts.port),) if options["bind"] is not False else (),
        mounts=_mounts(serve, facts.source),
        gpus=Reservation(vendor=vendor, uuids=facts.uuids) if vendor else None,
        health=health_check(engine.health, facts.port, options["start_period"]),
        restart=options["restart"],
        stop_grace_period=options["stop_grace_period"],
        shm_size=options["shm_size"],
        ipc=options["ipc"],
        log_max_size=options["log_max_size"],
        log_max_file=str(options["log_max_files"]),
    )


def health_check(health: Health, port: Text, start_period: str) -> HealthCheck:
    """Return a health check on ``port``, in Compose's terms."""
    values: dict[str, Text] = {"port": port, "path": health.path}
    return HealthCheck(
        test=tuple(fill(part, values) for part in health.test),
        interval=health.interval,
        timeout=health.timeout,
        retries=health.retries,
        start_period=start_period,
    )


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
        why = "it holds no card" if not serve.gpus else "its cards' memory is unknown or differs"
        remedy = "set memory_mib of the card, or use gpu_memory_utilization"
        site.report.add("share of a card cannot be computed", path, why, remedy)
        return None
    wanted = float(memory[:-3]) * _MIB[memory[-3:]]
    if wanted > total:
        site.report.add("number out of range", path, f"{memory} is more than the card has", f"{total} MiB at most")
        return None
    return Number(f"{int(wanted / total * 10_000) / 10_000:.4f}".rstrip("0"))


def model_source(site: Site, serve: Serve, model: ModelTable | None) -> Source | None:
    """Return where a tier's weights come from; None, with a diagnostic, where that is not clear."""
    report, path = site.report, (*serve.path, "model")
    if model is None:
        report.missing(serve.path, "model", 'write model = { path = "folder" } or model = { repo = "org/name" }')
        return None
    kinds = [kind for kind in ("path", "repo", "file") if getattr(model, kind) is not UNSET]
    if len(kinds) != 1:
        detail = f"it has {' and '.join(kinds)}" if kinds else "it has none of them"
        report.add("one of path, repo and file", path, detail, "keep one of them" if kinds else 'write path = "folder"')
        return None
    kind = kinds[0]
    if kind not in serve.engine.models:
        detail = f'{serve.engine.title} loads no model by "{kind}"'
        report.add("not for this engine", (*path, kind), detail, f"use {' or '.join(serve.engine.models)}")
        return None
    revision = None if model.revision is UNSET else model.revision
    if kind == "repo":
        mount = hub_mount(site, serve, (*path, "repo"))
        return Source(argument=str(model.repo), revision=revision, mount=mount)
    if revision is not None:
        detail = "only a repository of the hub has revisions"
        report.add("not for this model", (*path, "revision"), detail, "remove it, or use repo")
    return _local_source(site, serve, getattr(model, kind), (*path, kind))


def hub_mount(site: Site, serve: Serve, path: KeyPath) -> Mount | None:
    """Return the mount of the shared hub cache, with a diagnostic where the inventory has none."""
    cache: HfCacheTable = site.inventory.hfcache
    if cache.volume is UNSET:
        detail = "weights from the hub need a cache that outlives the container"
        site.report.add("missing key", path, detail, 'add a table [hfcache] with volume = "hfcache"')
        return None
    return Mount(source=cache.volume, target=serve.engine.hub_cache, volume=True, external=True)


def check_flags(site: Site, serve: Serve) -> None:
    """Report flags that a field says already, and values that no command line can carry."""
    flags_path = (*serve.path, "flags")
    by_flag = {canonical_flag(flag): option for option, flag in serve.engine.options.items()}
    by_flag.update((canonical_flag(flag), option) for flag, option in serve.engine.aliases.items())
    for name, value in serve.options["flags"].items():
        here = (*flags_path, name)
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


def refuse_quirks(site: Site, serve: Serve) -> None:
    """Report options whose values do not work on this platform or these cards."""
    for quirk in matching_quirks(site, serve):
        refusal = quirk.refuse
        if refusal is not None and serve.options[refusal.option] in refusal.values:
            value = serve.options[refusal.option]
            path = (*serve.path, refusal.option)
            site.report.add("not on this card", path, f'"{value}": {quirk.reason}', refusal.remedy)


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


def _local_source(site: Site, serve: Serve, written: str, path: KeyPath) -> Source | None:
    base = site.inventory.paths.models
    if is_absolute(written):
        source, inside = written, last_part(written)
    elif base is UNSET:
        detail = f'"{written}" is relative, and the inventory does not say to what'
        site.report.add("missing key", path, detail, 'add a table [paths] with models = "/folder/of/models"')
        return None
    elif not is_absolute(base):
        return None  # reported once, at paths.models
    else:
        source, inside = join(base, written), written.replace("\\", "/").strip("/")
    if ".." in inside.split("/") or inside in ("", "."):
        site.report.add("not a place below the model folder", path, f'"{written}"', "name a folder or file below it")
        return None
    target = f"{serve.engine.model_dir}/{inside}"
    return Source(argument=target, revision=None, mount=Mount(source=source, target=target, read_only=True))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _command(site: Site, serve: Serve, facts: Facts) -> tuple[Text, ...]:
    engine, options = serve.engine, serve.options
    known: dict[str, Any] = {
        **{name: options[name] for name in options},
        "gpu_memory_utilization": facts.share,
        "model": facts.source.argument if facts.source else None,
        "revision": facts.source.revision if facts.source else None,
        "tensor_parallel": len(serve.gpus) if len(serve.gpus) > 1 else None,
        "served_name": facts.served_name,
        "port": facts.port,
    }
    mapped = {flag: known[option] for option, flag in engine.options.items() if known[option] is not None}
    passed: dict[str, Any] = {}
    quirks = (quirk.flags for quirk in matching_quirks(site, serve))
    # Sorted, so that the order in the inventory, which means nothing, changes nothing.
    for flags in (engine.flags, *quirks, dict(sorted(options["flags"].items()))):
        spelled = {canonical_flag(name): name for name in passed}
        passed.update((spelled.get(canonical_flag(name), name), value) for name, value in flags.items())
    values = {"model": known["model"]} if known["model"] is not None else {}
    return arguments(engine.command, values, {**mapped, **passed}, style=engine.flag_style, lists=engine.list_style)


def _environment(site: Site, serve: Serve, vendor_name: Symbol | None, uuids: tuple[Text, ...]) -> tuple[EnvVar, ...]:
    entries: dict[str, EnvVar] = {}

    def put(name: str, value: Text, reason: str = "") -> None:
        entries[name] = EnvVar(name=name, value=value, reason=reason)

    vendor: Vendor | None = site.catalog.vendor(vendor_name) if vendor_name else None
    if vendor is not None:
        pinned = concat(*(part for index, uuid in enumerate(uuids) for part in ((",", uuid) if index else (uuid,))))
        for name, value in {**vendor.environment, **vendor.platforms.get(site.platform, {})}.items():
            put(name, fill(value, {"uuids": pinned}))
    for name, value in serve.engine.environment.items():
        put(name, value)
    for quirk in matching_quirks(site, serve):
        for name, value in quirk.environment.items():
            put(name, value, quirk.reason)
    for name, value in sorted(serve.options["environment"].items()):
        put(name, str(value))
    return tuple(entries.values())


def _mounts(serve: Serve, source: Source | None) -> tuple[Mount, ...]:
    caches = (Mount(source=cache.volume, target=cache.target, volume=True) for cache in serve.engine.caches)
    return (*((source.mount,) if source and source.mount else ()), *caches)
