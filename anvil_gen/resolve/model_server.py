"""A tier's or the experiment's table, checked and with its options resolved: the same way for both."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import DERIVED_OPTIONS, Engine, Quirk
from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.schema import ExperimentTable, Inventory, TierTable
from anvil_gen.inventory.schema_base import EnvTable
from anvil_gen.masking import holds_secret
from anvil_gen.resolve.flag_check import FlagRules, check_fields, check_flags, check_variables, flag_rules
from anvil_gen.resolve.layers import Layer, fill_placeholders, layered, set_fields
from anvil_gen.resolve.model import Gpu
from anvil_gen.resolve.options import ServerOptions, TierOptions
from anvil_gen.units import MIB, parse_size
from anvil_gen.values import EnvRef, KeyPath, Number, Text, VariableText

# Fields that are lost where the engine has neither flag nor variable for them.
FIELDS_NEEDING_FLAG = ("context_length", "max_sequences", "kv_cache_dtype", "draft_model", "mmproj", "lora")
# Fields of Compose that only an engine without a command of its own takes.
OWN_FIELDS = ("entrypoint", "command", "healthcheck")
# Table of an inventory -> section of templates/defaults.toml.
_SECTIONS = {"tiers": "tier", "experiment": "experiment"}
_EGRESS = ("host", "egress")


_Options = TypeVar("_Options", bound=ServerOptions)


class ResolveContext(Struct, frozen=True, kw_only=True):
    """What all model servers of one inventory share."""

    inventory: Inventory
    catalog: Catalog
    collector: Collector
    platform: str
    gpus: Mapping[str, Gpu]
    folder: Path  # the inventory's
    sealed: bool  # tiers reach nothing but each other and the router


class ModelServer(Struct, Generic[_Options], frozen=True, kw_only=True):
    """A tier's or the experiment's table on its way to a service."""

    path: KeyPath
    engine_name: str
    engine: Engine | None  # None where there is none of that name: its other errors are reported all the same
    options: _Options
    gpus: tuple[Gpu, ...]
    image: Text
    rules: FlagRules | None = None  # None where nothing is known of the engine's flags


AnyServer = ModelServer[Any]
"""One that may be a tier's or the experiment's."""
TierServer = ModelServer[TierOptions]


def resolve_server(
    context: ResolveContext,
    kind: type[_Options],
    table: TierTable | ExperimentTable,
    path: KeyPath,
    values: Mapping[str, Text],
) -> ModelServer[_Options]:
    """Resolve and check the options of one model server.

    Args:
        context: what all model servers share; takes the errors.
        kind: the options of this table.
        table: the inventory's table.
        path: its key path, whose first part names its section of the defaults.
        values: values of the placeholders in the defaults.

    Returns:
        The model server.
    """
    common = context.inventory.defaults if isinstance(table, TierTable) else TierTable()
    name, engine = _engine_of(context, table, common, path)
    section = context.catalog.defaults[_SECTIONS[str(path[0])]]
    if engine is not None:
        engine = _limited(engine, (*section, *DERIVED_OPTIONS, "draft_model", "mmproj", "lora"))
    below = (
        Layer(name="templates/defaults.toml", values=fill_placeholders(section, {**values, "engine": name})),
        Layer(name=f"templates/engines/{name}/engine.toml", values=_engine_defaults(engine, section)),
    )
    options = _options_of(context, kind, table, path, below)
    gpus = _find_gpus(context, options, path)
    image = _image(context, options, engine, gpus, path)
    rules = flag_rules(context.catalog.flag_timeline(name), engine, image) if engine is not None else None
    if engine is not None and rules is not None:
        engine = engine.at(rules.release.version)
    server = ModelServer(
        path=path, engine_name=name, engine=engine, options=options, gpus=gpus, image=image, rules=rules
    )
    if engine is not None:
        for check in (_check_vendors, _check_needs, _check_fields, _check_flags, _refuse_quirks):
            check(context, server, engine)
    _check_secrets(context, server)
    return server


def _options_of(
    context: ResolveContext,
    kind: type[_Options],
    table: TierTable | ExperimentTable,
    path: KeyPath,
    below: tuple[Layer, ...],
) -> _Options:
    """Return the options of a table: the layers below the inventory, then the inventory's."""
    common = context.inventory.defaults if isinstance(table, TierTable) else TierTable()
    sealed = context.sealed and path[0] == "tiers"
    options = layered(
        kind,
        *below,
        *([Layer(name="[host]", values={"bind": False}, path=_EGRESS)] if sealed else []),
        Layer(name="[defaults]", values=set_fields(common), path=("defaults",)),
        Layer(name=f"[{'.'.join(map(str, path))}]", values=set_fields(table), path=path),
    )
    if options.origin("shm_size").path and not options.origin("ipc").path:
        return replace(options, ipc=None)  # Docker ignores a size where the memory is the host's
    return options


def _engine_defaults(engine: Engine | None, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return an engine's defaults of the options of a section."""
    if engine is None:
        return {}
    # The experiment has a port of its own: it runs next to the tiers of the same engine.
    known = [option for option in section if option != "port" or section["port"] is None]
    return {option: value for option, value in engine.defaults.items() if option in known}


def _limited(engine: Engine, known: tuple[str, ...]) -> Engine:
    """Return an engine without flags and variables for options that the table at hand has not."""
    if all(field in known for field in (*engine.fields, *engine.field_env)):
        return engine
    fields = {field: flags for field, flags in engine.fields.items() if field in known}
    variables = {field: name for field, name in engine.field_env.items() if field in known}
    return replace(engine, fields=fields, field_env=variables)


def _image(
    context: ResolveContext, options: ServerOptions, engine: Engine | None, gpus: tuple[Gpu, ...], path: KeyPath
) -> Text:
    """Return the image that the inventory names, else the engine's for these GPUs."""
    named = options.image
    if named is not None:
        return env_text(named)
    if engine is None:
        return ""
    images = engine.images.get(gpus[0].vendor, {}) if gpus else {}
    capabilities = {gpu.compute_capability for gpu in gpus}
    fitting = next((image for key, image in images.items() if key in capabilities), images.get("default"))
    if fitting is not None:
        return fitting
    if not engine.image:
        context.collector.missing_key(path, "image", f'write image = "…": {engine.title} has no image of its own')
    elif images:
        _no_image(context, engine, gpus, path)
    return engine.image


def _no_image(context: ResolveContext, engine: Engine, gpus: tuple[Gpu, ...], path: KeyPath) -> None:
    """Report GPUs for which an engine has images, but none for their compute capability."""
    known, capability = ", ".join(engine.images[gpus[0].vendor]), gpus[0].compute_capability
    detail = f"{engine.title} has images for compute capability {known}; the GPU's is {capability or 'not set'}"
    remedy = "set image" if capability else f"set compute_capability of gpus.{gpus[0].name}, or image"
    context.collector.add("no-image-for-this-gpu", path, detail, remedy, key=True)


def env_text(value: Any) -> Text:
    """Return a value of the inventory as text: a reference to a variable, or the value itself."""
    if isinstance(value, EnvTable):
        default = None if value.default is UNSET else value.default
        return VariableText((EnvRef(name=value.env, default=default),))
    return str(value)


def matching_quirks(context: ResolveContext, engine: Engine, gpus: tuple[Gpu, ...]) -> Iterator[Quirk]:
    """Yield an engine's quirks that apply on this platform and these GPUs."""
    capabilities = [_version(gpu.compute_capability) for gpu in gpus if gpu.compute_capability]
    for quirk in engine.quirks:
        below, start = quirk.compute_capability_below, quirk.compute_capability_from
        if quirk.platform is not None and quirk.platform != context.platform:
            continue
        if below is not None and not any(capability < _version(below) for capability in capabilities):
            continue
        if start is not None and not any(capability >= _version(start) for capability in capabilities):
            continue
        if len(gpus) < quirk.gpus_from:
            continue
        yield quirk


def share_of(context: ResolveContext, server: AnyServer) -> Number | None:
    """Return the share of each GPU that a model server takes, from either of its two fields."""
    options = server.options
    fraction, memory = options.gpu_memory_utilization, options.gpu_memory
    if memory is None:
        return fraction if isinstance(fraction, Number) else None
    path = (*server.path, "gpu_memory")
    if fraction is not None:
        context.collector.add(
            "two-fields-for-one-thing",
            path,
            '"gpu_memory" and "gpu_memory_utilization" both say how much of a GPU is taken',
            "keep one of them",
        )
        return fraction if isinstance(fraction, Number) else None
    totals = {gpu.memory_mib for gpu in server.gpus}
    total = totals.pop() if len(totals) == 1 else None
    if total is None:
        if not _gpus_have_errors(context, server):
            why, remedy = "its GPUs' memory is unknown or differs", "set memory_mib of each GPU, all alike"
            if not server.gpus:
                why, remedy = "it holds no GPU", "name the GPU that it holds"
            remedy = f"{remedy}, or use gpu_memory_utilization"
            context.collector.add("share-of-a-gpu-cannot-be-computed", path, why, remedy)
        return None
    ten_thousandths = int(min(parse_size(memory) / MIB / total * 10_000, 20_000))
    if not 1 <= ten_thousandths <= 10_000:
        detail = f"{memory} is {'more than the GPU has' if ten_thousandths else 'next to nothing'}"
        context.collector.add("number-out-of-range", path, detail, f"{total} MiB at most")
        return None
    return Number(f"{ten_thousandths / 10_000:.4f}".rstrip("0").rstrip("."))


def _gpus_have_errors(context: ResolveContext, server: AnyServer) -> bool:
    """Return whether an error of the server's GPUs, or of their memory, has been reported."""
    left_out = context.collector.is_dropped
    return (
        len(server.gpus) < len(server.options.named_gpus)
        or left_out((*server.path, server.options.gpus_key))
        or any(left_out(("gpus", gpu.name, "memory_mib")) for gpu in server.gpus)
    )


def _engine_of(
    context: ResolveContext, table: TierTable | ExperimentTable, common: TierTable, path: KeyPath
) -> tuple[str, Engine | None]:
    """Return the engine that a table or the defaults name; None, with a diagnostic, where it is none."""
    name, where = (table.engine, path) if table.engine is not UNSET else (common.engine, ("defaults",))
    if name is UNSET:
        engines = context.catalog.names("engines")
        context.collector.missing_key(path, "engine", f'write engine = "…", with one of: {join_words(engines)}')
        return "unknown", None
    engine = context.catalog.engine(name)
    if engine is None:
        context.collector.add("unknown-engine", (*where, "engine"), *context.catalog.unknown("engines", name))
    return name, engine


def _find_gpus(context: ResolveContext, options: ServerOptions, path: KeyPath) -> tuple[Gpu, ...]:
    """Return the GPUs of a model server, with a diagnostic for each that is unknown or named twice."""
    found: list[Gpu] = []
    for place, name in options.named_gpus:
        here, gpu = (*path, *place), context.gpus.get(name)
        if gpu is None:
            _unknown_gpu(context, name, here)
        elif gpu in found:
            context.collector.add("gpu-named-twice", here, f'"{name}" is in this list already', "name each GPU once")
        else:
            found.append(gpu)
    return tuple(found)


def _unknown_gpu(context: ResolveContext, name: str, path: KeyPath) -> None:
    known = context.inventory.gpus
    if name in known or context.collector.is_dropped(("gpus", name)):  # it is there, and its error has been reported
        return
    detail = f'"{name}" is not defined in [gpus]' + (f" (defined: {join_words(known)})" if known else "")
    remedy = did_you_mean(name, known) or f'add a table [gpus.{name}] with its "uuid"'
    context.collector.add("unknown-gpu", path, detail, remedy)


def _check_vendors(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    path = (*server.path, server.options.gpus_key)
    vendors = sorted({gpu.vendor for gpu in server.gpus})
    if len(vendors) > 1:
        context.collector.add(
            "gpus-of-two-vendors", path, " and ".join(vendors), "one tier takes the GPUs of one vendor"
        )
    for vendor in vendors:
        if vendor not in engine.vendors:
            runs = join_words(engine.vendors) or "the processor only"
            detail = f'{engine.title} has no GPUs of vendor "{vendor}": it runs on {runs}'
            context.collector.add("not-for-this-engine", path, detail, "take another GPU, or another engine")


def _check_needs(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report what a tier needs and has not: a port, a task that its engine serves."""
    options = server.options
    if options.port is None:
        context.collector.missing_key(server.path, "port", "write the port that the container listens on")
    if options.task is not None and options.task not in engine.tasks:
        path = options.origin("task").path
        detail = f'{engine.title} does not serve "{options.task}": it serves {", ".join(engine.tasks)}'
        remedy = f'write task = "{next(iter(engine.tasks))}", or take another engine'
        context.collector.add("not-for-this-engine", path or server.path, detail, remedy, key=path is None)


def _check_fields(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report fields that this engine has no flag or variable for."""
    unable = [] if engine.own_command else [name for name in FIELDS_NEEDING_FLAG if not _is_mapped(engine, name)]
    unable += OWN_FIELDS if not engine.own_command else ("flags",)
    for name in unable:
        path = server.options.path_of(name)
        if path is not None and path[: len(server.path)] == server.path:
            detail = f'{engine.title} has no flag or variable for "{name}"'
            remedy = "remove it" if name in ("flags", *OWN_FIELDS) else "remove it, or look for a flag that says it"
            context.collector.add("not-for-this-engine", path, detail, remedy, key=True)


def _check_secrets(context: ResolveContext, server: AnyServer) -> None:
    """Report secrets that are written out: the rendered files would hold them, and git after them."""
    for table, values in (("environment", server.options.environment), ("flags", server.options.flags)):
        for name, value in values.items():
            if isinstance(value, str) and value and holds_secret(name):
                path = (*server.path, table, name)
                variable = re.sub("[^A-Z0-9]+", "_", name.upper()).strip("_")
                remedy = f'name a variable, whose value is in .env: {name} = {{ env = "{variable}" }}'
                context.collector.add("secret-in-the-inventory", path, "rendered files would hold it", remedy, key=True)


def _is_mapped(engine: Engine, name: str) -> bool:
    return name in engine.fields or name in engine.field_env


def _check_flags(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    rules = server.rules if server.options.flag_check else None
    check_flags(context.collector, server.path, server.options.flags, engine, rules)
    if rules is not None:
        check_fields(context.collector, server.options, engine, rules, server.path)
        check_variables(context.collector, server.path, server.options.environment, rules)


def _refuse_quirks(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report options whose values do not work on this platform or these GPUs."""
    for quirk in matching_quirks(context, engine, server.gpus):
        refusal = quirk.refuse
        value = server.options.get(refusal.option) if refusal is not None else None
        if refusal is not None and value in refusal.values:
            path = (*server.path, refusal.option)
            context.collector.add("not-on-this-gpu", path, f'"{value}": {quirk.reason}', refusal.remedy)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
