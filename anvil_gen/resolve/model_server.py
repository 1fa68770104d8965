"""A tier's or the experiment's table, checked and with its options resolved: the same way for both."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from msgspec import UNSET
from msgspec.structs import replace

from anvil_gen.catalog.engine import DERIVED_OPTIONS, Engine
from anvil_gen.diagnostics import join_words
from anvil_gen.inventory.schema_tier import ExperimentTable, TierTable
from anvil_gen.resolve.context import ModelServer, ResolveContext, TierServer
from anvil_gen.resolve.flag_check import FlagRules, flag_rules
from anvil_gen.resolve.group_model import Rank
from anvil_gen.resolve.image_kinds import engine_in
from anvil_gen.resolve.layers import Layer, layered
from anvil_gen.resolve.options import ServerOptions
from anvil_gen.resolve.rank_checks import check_rank
from anvil_gen.resolve.ranks import as_rank, link_layer
from anvil_gen.resolve.relative_paths import placed_layers
from anvil_gen.resolve.server_checks import check_server
from anvil_gen.resolve.server_gpus import find_gpus, image_of
from anvil_gen.values import KeyPath, Text, fill_placeholders

# Table of an inventory -> section of templates/defaults.toml.
_FOLDER = "tiers"
_SECTIONS = {"tiers": "tier", "experiment": "experiment"}
_EGRESS = ("host", "egress")

_Options = TypeVar("_Options", bound=ServerOptions)


def resolve_server(
    context: ResolveContext,
    kind: type[_Options],
    table: TierTable | ExperimentTable,
    path: KeyPath,
    values: Mapping[str, Text],
    *,
    adapt: Callable[[_Options], _Options] = lambda options: options,
) -> ModelServer[_Options]:
    """Resolve and check the options of one model server.

    Args:
        context: what all model servers share; takes the errors.
        kind: the options of this table.
        table: the inventory's table.
        path: its key path, whose first part names its section of the defaults.
        values: values of the placeholders in the defaults.
        adapt: makes the options of one of several servers of those of the table.
    """
    rank = context.ranks.get(str(path[-1])) if path[0] == _FOLDER else None
    # What a host's defaults say, the other hosts of a group do not.
    common = context.inventory.defaults if isinstance(table, TierTable) and rank is None else TierTable()
    name, engine = _engine_of(context, table, common, path)
    section = context.catalog.defaults[_SECTIONS[str(path[0])]]
    if engine is not None:
        engine = _limited(engine, (*section, *DERIVED_OPTIONS, "draft_model", "mmproj", "lora"))
        engine = _measured(context, engine, path, rank)
    below = (
        Layer(name="templates/defaults.toml", values=fill_placeholders(section, {**values, "engine": name})),
        Layer(name=f"templates/engines/{name}/engine.toml", values=_engine_defaults(engine, section)),
        *([link_layer(engine, rank)] if rank is not None else []),
    )
    options = adapt(_options_of(context, kind, (common, table), path, below))
    gpus = find_gpus(context, options, engine, path)
    image = image_of(context, options, engine, gpus, path)
    engine, rules = _in_image(context, name, engine, image)
    server = ModelServer(
        path=path,
        engine_name=name,
        engine=engine,
        options=options,
        gpu_request=gpus,
        image=image,
        rules=rules,
        rank=rank,
    )
    check_server(context, server)
    return server if rank is None else _on_its_rank(context, server)


def _in_image(
    context: ResolveContext, name: str, engine: Engine | None, image: Text
) -> tuple[Engine | None, FlagRules | None]:
    """Return an engine as the version in an image is, and what flags that takes."""
    if engine is None:
        return None, None
    rules = flag_rules(context.catalog.flag_timeline(name), engine, image)
    return engine_in(engine.at(rules.release.version) if rules is not None else engine, image), rules


def _measured(context: ResolveContext, engine: Engine, path: KeyPath, rank: Rank | None) -> Engine:
    """Return an engine with the flags by which it is measured; for a whole group, as the head's host says."""
    inventory = context.inventory if rank is None else rank.members[0].inventory
    if engine.metrics is None or inventory.monitoring is UNSET or path[0] != _FOLDER:
        return engine
    return replace(engine, flags={**engine.flags, **engine.metrics.flags})


def _on_its_rank(context: ResolveContext, server: ModelServer[_Options]) -> ModelServer[_Options]:
    """Return a group's model server as it is on this host, after what only a group can have wrong is checked."""
    check_rank(context, cast(TierServer, server))
    return cast(ModelServer[_Options], as_rank(cast(TierServer, server)))


def _options_of(
    context: ResolveContext,
    kind: type[_Options],
    tables: tuple[TierTable, TierTable | ExperimentTable],
    path: KeyPath,
    below: tuple[Layer, ...],
) -> _Options:
    """Return the options of a table: the layers below the inventory, then the inventory's."""
    common, table = tables
    sealed = context.sealed and path[0] == "tiers"
    options = layered(
        kind,
        *below,
        *([Layer(name="[host]", values={"bind": False}, path=_EGRESS)] if sealed else []),
        *placed_layers(context, common, ("defaults",), _FOLDER),
        *placed_layers(context, table, path, _FOLDER),
    )
    if options.shm_size and options.origin("shm_size").path and not options.origin("ipc").path:
        options = replace(options, ipc=None)  # Docker ignores a size where the memory is the host's
    if len(options.container_name or "") == 1 and options.path_of("container_name") is None:
        options = replace(
            options, container_name=False
        )  # Docker takes no name of one letter, Compose makes a longer one
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
    if all(field in known for field in (*engine.fields, *engine.field_env, *engine.flag_aliases.values())):
        return engine
    fields = {field: flags for field, flags in engine.fields.items() if field in known}
    variables = {field: name for field, name in engine.field_env.items() if field in known}
    aliases = {flag: field for flag, field in engine.flag_aliases.items() if field in known}
    return replace(engine, fields=fields, field_env=variables, flag_aliases=aliases)


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
