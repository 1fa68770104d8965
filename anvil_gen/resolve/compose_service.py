"""The compose service of a model server: its command, environment, mounts and health check."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.catalog.engine import DERIVED_OPTIONS, Engine
from anvil_gen.catalog.health import Health
from anvil_gen.resolve.build import build_keys, env_files
from anvil_gen.resolve.command_line import arguments, shell_words
from anvil_gen.resolve.compose_keys import flag_value, with_image
from anvil_gen.resolve.context import AnyServer, ResolveContext, matching_quirks
from anvil_gen.resolve.gpu_reservation import gpu_environment, reservation_of
from anvil_gen.resolve.image_kinds import entrypoint_of, with_needs
from anvil_gen.resolve.layers import set_fields
from anvil_gen.resolve.model import EnvVar, HealthCheck, Logging, Mount, Networks, Port, Service
from anvil_gen.resolve.model_source import Source
from anvil_gen.resolve.mounts import Taken, moved_source, own_mounts
from anvil_gen.resolve.networks import DEFAULT, declared, declared_by, declared_files, networks_of
from anvil_gen.resolve.options import ALL_ADDRESSES, RouterOptions, ServerOptions, is_one_address
from anvil_gen.resolve.override_merge import declaring
from anvil_gen.resolve.parallel import parallel_values
from anvil_gen.resolve.relative_paths import Move, move_to
from anvil_gen.resolve.selinux import has_foreign, labelled, unlabelled
from anvil_gen.resolve.way_out import way_out_environment, way_out_mounts
from anvil_gen.text.units import parse_duration
from anvil_gen.values import KeyPath, Number, Text, VariableValue, canonical_flag, concat, fill, text_of, with_reference

_DOCKER_GRACE_SECONDS = 10
_MODEL = "{model}"
_LOOPBACK = "127.0.0.1"
_BY_NAME = "By name only: the value comes from the shell or from .env."


def published(bind: str | bool, number: Text, target: Text) -> tuple[Port, ...]:
    """Return the ports of a service that is published at an address, or at none."""
    if not isinstance(bind, str):
        return ()
    if bind == ALL_ADDRESSES and not isinstance(bind, VariableValue):
        return (Port(host="", number=number, target=target),)
    host = with_reference(f"[{bind}]", concat("[", bind, "]")) if ":" in bind else bind
    return (Port(host=host, number=number, target=target),)


def logging_of(options: ServerOptions | RouterOptions) -> Logging | None:
    """Return where the log of a service goes; None where that is left to Docker."""
    own = options.logging
    if own is None:
        sizes: dict[str, Text] = {"max-size": options.log_max_size, "max-file": text_of(options.log_max_files)}
        return Logging(driver="json-file", options=sizes)
    if own is False:
        return None
    written = {} if own.options is UNSET else own.options
    driver = None if own.driver is UNSET else own.driver
    if driver is None and not written:
        return None
    return Logging(driver=driver, options={name: text_of(value) for name, value in sorted(written.items())})


class ServiceInputs(Struct, frozen=True, kw_only=True):
    """What a tier takes from its options, and the experiment from variables."""

    service: str
    container_name: Text | None
    served_names: tuple[Text, ...]  # none where the engine knows its models' names
    port: Text  # in the container
    published_port: Text
    device_ids: tuple[Text, ...]  # of the GPUs that it names
    share: Number | None
    sources: Mapping[str, Source]
    folder: str = ""  # of the tree, that its file is in
    files: tuple[Mount, ...] = ()
    labels: tuple[tuple[str, Text], ...] = ()
    any_name: bool = False  # it is to answer to any
    rank: int | None = None  # of the adapters, the highest
    extra_arguments: Text | None = None


class _EngineParts(Struct, frozen=True, kw_only=True):
    """What of a service its engine's data says; nothing where there is no such engine."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[Text, ...] = ()
    environment: tuple[EnvVar, ...] = ()
    mounts: tuple[Mount, ...] = ()
    health: HealthCheck | None = None


def build_service(context: ResolveContext, server: AnyServer, inputs: ServiceInputs) -> Service:
    """Lay out the service of one model server."""
    options, engine = server.options, server.engine
    move = move_to(context, inputs.folder)
    parts = _engine_parts(context, server, engine, inputs, move) if engine is not None else _EngineParts()
    own = own_mounts(context, options, server.path, _taken(server, inputs), folder=inputs.folder)
    fetched = way_out_mounts(context, move) if _fetches(inputs) else ()
    mounts, sealed = (
        labelled((*parts.mounts, *fetched, *own), inputs.files, context),
        context.sealed and server.path[0] == "tiers",
    )
    networks = networks_of(context, options, server.path, sealed=sealed)
    return Service(
        name=inputs.service,
        container_name=inputs.container_name,
        image=server.image,
        entrypoint=parts.entrypoint,
        command=parts.command,
        shell_words=() if inputs.extra_arguments is None else shell_words(parts.command, inputs.extra_arguments),
        environment=parts.environment,
        ports=() if server.on_host_network else published(options.bind, inputs.published_port, inputs.port),
        further_ports=tuple(map(text_of, options.ports)),
        mounts=mounts,
        networks=networks,
        declared=replace(
            declared(context, mounts, _joined(networks, server), folder=inputs.folder),
            secrets=declared_files(context, {"build": options.build}, "secrets", inputs.folder),
        ),
        sealed=sealed,
        gpus=reservation_of(context, server.gpu_request, inputs.device_ids),
        health=parts.health,
        restart=options.restart or None,
        init=options.init,
        stop_grace_period=options.stop_grace_period or None,
        shm_size=options.shm_size or None,
        ipc=options.ipc or None,
        logging=logging_of(options),
        labels=inputs.labels,
        group=server.rank_label,
        env_file=env_files(options.env_file, move),
        build=build_keys(options.build, move),
        override=with_image(_override(context, server, mounts), context.lock),
        override_declared=declared_by(context, declaring(options.override), folder=inputs.folder),
    )


def _override(context: ResolveContext, server: AnyServer, mounts: Sequence[Mount]) -> Mapping[str, Any]:
    needs = with_needs(server, server.engine, server.options.override)
    return unlabelled(needs, context, foreign=has_foreign(mounts))


def _engine_parts(
    context: ResolveContext, server: AnyServer, engine: Engine, inputs: ServiceInputs, move: Move
) -> _EngineParts:
    own = server.options.entrypoint
    return _EngineParts(
        entrypoint=entrypoint_of(engine, server.image) if own is None else tuple(own or ()),
        command=_command(context, server, engine, inputs),
        environment=_environment(context, server, engine, inputs),
        mounts=_mounts(engine if server.options.caches else replace(engine, caches=()), inputs, move),
        health=_health(server, engine, inputs.port),
    )


def health_check(health: Health, port: Text, start_period: str | None, address: str = _LOOPBACK) -> HealthCheck:
    """Return a health check on ``port``, in Compose's terms."""
    values: dict[str, Text] = {"port": port, "path": health.path, "address": address}
    return HealthCheck(
        test=tuple(fill(part, values) for part in health.test),
        interval=health.interval,
        timeout=health.timeout,
        retries=health.retries,
        start_period=start_period,
    )


def _health(server: AnyServer, engine: Engine, port: Text) -> HealthCheck | None:
    """Return the health check: one of the inventory's own as it is written, else the engine's."""
    options = server.options
    written = options.healthcheck
    if written is False:
        return None
    own = set_fields(written) if written is not None else {}
    start_period = options.start_period or None
    if own.get("disable"):
        return HealthCheck(**own)
    if "test" in own:
        parts = ("CMD-SHELL", own["test"]) if isinstance(own["test"], str) else own["test"]
        test = tuple(fill(part, {"port": port}) for part in parts)
        return HealthCheck(**{"start_period": start_period, **own, "test": test})
    flags = {canonical_flag(name) for name, value in options.flags.items() if value is not False}
    if engine.health is None or not flags.isdisjoint(map(canonical_flag, engine.headless)):
        return None
    address = options.bind if server.on_host_network and is_one_address(options.bind) else _LOOPBACK
    return replace(health_check(engine.health, port, start_period, address), **own)


def _command(context: ResolveContext, server: AnyServer, engine: Engine, inputs: ServiceInputs) -> tuple[Text, ...]:
    options = server.options
    if engine.own_command:
        return tuple(options.command or ())
    known = _field_values(server, engine, inputs)
    numbers = {"{rank}": inputs.rank, "{drain_seconds}": drain_seconds(options.stop_grace_period)}
    mapped: dict[str, Any] = {}
    for field, named in engine.fields.items():
        if known[field] is not None:
            for flag in (named,) if isinstance(named, str) else named:
                mapped[flag] = _in_json(engine, field, known[field], mapped.get(flag))
            mapped.update(_filled(engine.field_flags.get(field, {}), numbers))
    passed: dict[str, Any] = {}
    task = engine.tasks.get(options.task, {}) if options.task is not None else {}
    quirks = (quirk.flags for quirk in matching_quirks(context, engine, server.gpu_request))
    own = {name: flag_value(value) for name, value in sorted(options.flags.items())}
    one_name = server.rules.main_form if server.rules is not None and own else canonical_flag
    # Sorted, so that the order in the inventory, which means nothing, changes nothing.
    for flags in (_filled(engine.flags, numbers), task, *quirks, own):
        spelled = {one_name(name): name for name in passed}
        passed.update((spelled.get(one_name(name), name), value) for name, value in flags.items())
    values = {"model": known["model"]} if known["model"] is not None else {}
    words: Sequence[Text] = engine.arguments_for(own_program=options.entrypoint is not None)
    words = (
        words if options.command is None else [text if text == _MODEL else text_of(text) for text in options.command]
    )
    positional = tuple(part for part in words if not isinstance(part, str) or _MODEL not in part or values)
    rules, lists = server.rules, {name for name, value in passed.items() if isinstance(value, list)}
    return arguments(
        positional,
        values,
        _with_passed(mapped, passed),
        style=engine.flag_style,
        lists=engine.list_style,
        repeated={name for name in lists if rules is not None and rules.repeats(name)},
    )


def _in_json(engine: Engine, field: str, value: Any, before: Any) -> Any:
    """Return a field's value as its flag has it: as one key where that is JSON."""
    key = engine.json_keys.get(field)
    return value if key is None else {**(before or {}), key: value}


def _filled(flags: Mapping[str, Any], numbers: Mapping[str, int | None]) -> dict[str, Any]:
    """Return an engine's flags with their numbers filled in, without those whose number is not known."""
    found = {name: numbers.get(value, value) if isinstance(value, str) else value for name, value in flags.items()}
    return {name: value for name, value in found.items() if value is not None}


def drain_seconds(grace_period: str | Literal[False]) -> int | None:
    """Return how long requests under way may take after a stop: less than Docker waits; None where that is unknown.

    Ten seconds are left to end afterwards, or half the time where that is less.
    """
    if isinstance(grace_period, VariableValue) or grace_period is False:
        return None
    whole = parse_duration(grace_period)
    return int(max(whole - _DOCKER_GRACE_SECONDS, whole / 2)) or None


def _with_passed(mapped: Mapping[str, Any], passed: Mapping[str, Any]) -> dict[str, Any]:
    """Return all flags; JSON of which a field sets a key keeps its place, with the keys of the tier's own flag."""
    found, spelled = dict(mapped), {canonical_flag(name): name for name in mapped}
    for name, value in passed.items():
        known = spelled.get(canonical_flag(name), name)
        below = found.get(known)
        found[known] = {**value, **below} if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def _field_values(server: AnyServer, engine: Engine, inputs: ServiceInputs) -> dict[str, Any]:
    """Return what an engine's flags can say of a model server, by option; None for what is not set."""
    sources = inputs.sources
    model, draft = sources.get("model"), sources.get("draft_model")
    by_name = {name: source.argument for name, source in sources.items()}
    lora = [
        fill(engine.lora_form, {"name": name.removeprefix("lora."), "path": path})
        for name, path in by_name.items()
        if name.startswith("lora.")
    ]
    return {
        **{name: server.options.get(name) for name in server.options},
        **dict.fromkeys(DERIVED_OPTIONS),
        **{name: by_name.get(name) for name in ("model", "model.folder", "draft_model", "mmproj")},
        **{f"{name}.{source.kind}": source.argument for name, source in sources.items() if "." not in name},
        "lora": lora or None,
        "gpu_memory_utilization": inputs.share,
        "revision": model.revision if model else None,
        "draft_model.revision": draft.revision if draft else None,
        **parallel_values(server.options, server.gpu_request, engine, server.nodes),
        "served_name": _one_or_list(inputs.served_names),
        "port": inputs.port,
    }


def _one_or_list(values: tuple[Text, ...]) -> Any:
    return [*values] if len(values) > 1 else next(iter(values), None)


def _environment(
    context: ResolveContext, server: AnyServer, engine: Engine, inputs: ServiceInputs
) -> tuple[EnvVar, ...]:
    """Return the environment, each source over those before it; a variable keeps the place that it was first given."""
    places: dict[str, Text] = {"port": inputs.port, "hub_cache": engine.hub_cache}
    sources = (
        gpu_environment(context, server.gpu_request, inputs.device_ids),
        _engine_environment(server, engine, inputs, places),
        server.rank_environment,
        (
            EnvVar(name=name, value=fill(value, places), reason=quirk.reason)
            for quirk in matching_quirks(context, engine, server.gpu_request)
            for name, value in quirk.environment.items()
        ),
        _hub_environment(context, engine, inputs, places),
        way_out_environment(context) if _fetches(inputs) else (),
        (EnvVar(name=name, value=text_of(value)) for name, value in sorted(server.options.variables.items())),
        (
            EnvVar(name=name, value=None, reason="" if index else _BY_NAME)
            for index, name in enumerate(sorted(server.options.pass_))
        ),
    )
    found = {variable.name: variable for source in sources for variable in source}
    return tuple(variable for name, variable in found.items() if server.options.environment.get(name) is not False)


def _engine_environment(
    server: AnyServer, engine: Engine, inputs: ServiceInputs, places: Mapping[str, Text]
) -> Iterator[EnvVar]:
    has_cache = _fetches(inputs)
    for name, value in engine.environment.items():
        if has_cache or "{hub_cache}" not in value:
            yield EnvVar(name=name, value=fill(value, places))
    if inputs.any_name and engine.any_name is not None:
        for name, value in engine.any_name.environment.items():
            yield EnvVar(name=name, value=fill(value, places), reason=engine.any_name.reason)
    known = _field_values(server, engine, inputs) if engine.field_env else {}
    for field, name in engine.field_env.items():
        if known[field] is not None:
            yield EnvVar(name=name, value=text_of(known[field]))


def _fetches(inputs: ServiceInputs) -> bool:
    """Tell whether a server loads something from the Hugging Face Hub."""
    return any(source.from_hub for source in inputs.sources.values())


def _hub_environment(
    context: ResolveContext, engine: Engine, inputs: ServiceInputs, places: Mapping[str, Text]
) -> Iterator[EnvVar]:
    if _fetches(inputs):
        for name, value in engine.hub_environment.items():
            yield EnvVar(name=name, value=fill(value, places))
        token = context.inventory.hfcache.token_env
        if token is not UNSET:
            yield EnvVar(name=token, value=None, reason=_BY_NAME)


def _mounts(engine: Engine, inputs: ServiceInputs, move: Move) -> tuple[Mount, ...]:
    caches = (Mount(source=cache.volume, target=cache.target, volume=True) for cache in engine.caches)
    found = (mount for source in inputs.sources.values() for mount in source.mounts)
    sources = (mount if mount.volume else replace(mount, source=moved_source(mount.source, move)) for mount in found)
    # Two sources of one place are one mount.
    return tuple({mount.target: mount for mount in (*sources, *inputs.files, *caches)}.values())


def _taken(server: AnyServer, inputs: ServiceInputs) -> Taken:
    """Return the places in the container that have a mount, each with what says so."""
    places: dict[str, KeyPath | str] = {}
    if server.engine is not None and server.options.caches:
        for cache in server.engine.caches:
            places[cache.target] = f"the volume {cache.volume} of {server.engine.title}"
    places |= {mount.target: (*server.path, "files", mount.target) for mount in inputs.files}
    for name, source in inputs.sources.items():
        places |= {mount.target: (*server.path, *name.split(".", 1)) for mount in source.mounts}
    return places


def _joined(networks: Networks, server: AnyServer) -> Iterator[str]:
    """Yield the networks that a service is on; the experiment has those of its own project."""
    if server.path[0] == "tiers":
        yield from networks or (DEFAULT,)
