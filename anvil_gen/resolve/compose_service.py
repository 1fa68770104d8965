"""The compose service of a model server: its command, environment, mounts and health check."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.health import Health
from anvil_gen.resolve.command_line import arguments, shell_words
from anvil_gen.resolve.compose_keys import compose_form, flag_value, named_volumes
from anvil_gen.resolve.layers import set_fields
from anvil_gen.resolve.model import EnvVar, HealthCheck, Mount, Port, Reservation, Service
from anvil_gen.resolve.model_server import AnyServer, ResolveContext, env_text, matching_quirks
from anvil_gen.resolve.model_source import KINDS, Source
from anvil_gen.resolve.options import ServerOptions
from anvil_gen.values import EnvRef, Number, Text, canonical_flag, concat, fill


def published(bind: str | bool, number: Text) -> tuple[Port, ...]:
    """Return the ports of a service that is published at an address, or at none."""
    if not isinstance(bind, str):
        return ()
    return (Port(host=f"[{bind}]" if ":" in bind else bind, number=number),)


class ServiceInputs(Struct, frozen=True, kw_only=True):
    """What a tier takes from its options, and the experiment from variables."""

    service: str
    container_name: Text
    served_name: Text
    port: Text
    uuids: tuple[Text, ...]
    share: Number | None
    sources: Mapping[str, Source]
    files: tuple[Mount, ...] = ()
    labels: tuple[tuple[str, Text], ...] = ()
    further_names: tuple[str, ...] = ()
    any_name: bool = False  # it is to answer to any
    extra_arguments: EnvRef | None = None


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
    parts = _engine_parts(context, server, engine, inputs) if engine is not None else _EngineParts()
    vendor = server.gpus[0].vendor if server.gpus else None
    return Service(
        name=inputs.service,
        container_name=inputs.container_name,
        image=server.image,
        entrypoint=parts.entrypoint,
        command=parts.command,
        shell_words=shell_words(parts.command, inputs.extra_arguments) if inputs.extra_arguments else (),
        environment=parts.environment,
        ports=published(options.bind, inputs.port),
        mounts=parts.mounts,
        sealed=context.sealed and server.path[0] == "tiers",
        gpus=Reservation(vendor=vendor, uuids=inputs.uuids) if vendor else None,
        health=parts.health,
        restart=options.restart,
        stop_grace_period=options.stop_grace_period,
        shm_size=options.shm_size,
        ipc=options.ipc,
        log_max_size=options.log_max_size,
        log_max_file=str(options.log_max_files),
        labels=inputs.labels,
        override=compose_form(options.override),
        override_volumes=named_volumes(options.override.get("volumes")),
    )


def _engine_parts(context: ResolveContext, server: AnyServer, engine: Engine, inputs: ServiceInputs) -> _EngineParts:
    return _EngineParts(
        entrypoint=tuple(server.options.entrypoint or ()) if engine.own_command else engine.entrypoint,
        command=_command(context, server, engine, inputs),
        environment=_environment(context, server, engine, inputs),
        mounts=_mounts(engine, inputs),
        health=_health(server.options, engine, inputs.port),
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


def _health(options: ServerOptions, engine: Engine, port: Text) -> HealthCheck | None:
    own = options.healthcheck if engine.own_command else None
    if own is not None:
        health = Health(
            path="", test=tuple(own.test), **{key: value for key, value in set_fields(own).items() if key != "test"}
        )
    elif engine.health is not None:
        health = engine.health
    else:
        return None
    return health_check(health, port, options.start_period)


def _command(context: ResolveContext, server: AnyServer, engine: Engine, inputs: ServiceInputs) -> tuple[Text, ...]:
    options = server.options
    if engine.own_command:
        return tuple(options.command or ())
    known = _field_values(server, engine, inputs)
    mapped: dict[str, Any] = {}
    for field, named in engine.fields.items():
        if known[field] is not None:
            mapped.update(dict.fromkeys((named,) if isinstance(named, str) else named, known[field]))
            mapped.update(engine.field_flags.get(field, {}))
    passed: dict[str, Any] = {}
    task = engine.tasks.get(options.task, {}) if options.task is not None else {}
    quirks = (quirk.flags for quirk in matching_quirks(context, engine, server.gpus))
    own = {name: flag_value(value) for name, value in sorted(options.flags.items())}
    # Sorted, so that the order in the inventory, which means nothing, changes nothing.
    for flags in (engine.flags, task, *quirks, own):
        spelled = {canonical_flag(name): name for name in passed}
        passed.update((spelled.get(canonical_flag(name), name), value) for name, value in flags.items())
    values = {"model": known["model"]} if known["model"] is not None else {}
    return arguments(engine.command, values, {**mapped, **passed}, style=engine.flag_style, lists=engine.list_style)


def _field_values(server: AnyServer, engine: Engine, inputs: ServiceInputs) -> dict[str, Any]:
    """Return what an engine's flags can say of a model server, by option; None for what is not set."""
    sources = inputs.sources
    model = sources.get("model")
    by_name = {name: source.argument for name, source in sources.items()}
    lora = [
        fill(engine.lora_form, {"name": name.removeprefix("lora."), "path": path})
        for name, path in by_name.items()
        if name.startswith("lora.")
    ]
    return {
        **{name: server.options.get(name) for name in server.options},
        **{f"model.{kind}": model.argument if model and model.kind == kind else None for kind in KINDS},
        **{name: by_name.get(name) for name in ("model", "draft_model", "mmproj")},
        "lora": lora or None,
        "gpu_memory_utilization": inputs.share,
        "revision": model.revision if model else None,
        "tensor_parallel": len(server.gpus) if len(server.gpus) > 1 else None,
        "served_name": [inputs.served_name, *inputs.further_names] if inputs.further_names else inputs.served_name,
        "port": inputs.port,
    }


def _environment(
    context: ResolveContext, server: AnyServer, engine: Engine, inputs: ServiceInputs
) -> tuple[EnvVar, ...]:
    """Return the environment, each source over those before it; a variable keeps the place that it was first given."""
    places: dict[str, Text] = {"port": inputs.port, "hub_cache": engine.hub_cache}
    sources = (
        _pins(context, server, inputs),
        _engine_environment(server, engine, inputs, places),
        (
            EnvVar(name=name, value=fill(value, places), reason=quirk.reason)
            for quirk in matching_quirks(context, engine, server.gpus)
            for name, value in quirk.environment.items()
        ),
        _hub_environment(context, engine, inputs, places),
        (EnvVar(name=name, value=env_text(value)) for name, value in sorted(server.options.environment.items())),
    )
    return tuple({variable.name: variable for source in sources for variable in source}.values())


def _pins(context: ResolveContext, server: AnyServer, inputs: ServiceInputs) -> Iterator[EnvVar]:
    vendor = context.catalog.vendor(server.gpus[0].vendor) if server.gpus else None
    if vendor is not None:
        pinned = concat(
            *(part for index, uuid in enumerate(inputs.uuids) for part in ((",", uuid) if index else (uuid,)))
        )
        for name, value in {**vendor.environment, **vendor.platforms.get(context.platform, {})}.items():
            yield EnvVar(name=name, value=fill(value, {"uuids": pinned}))


def _engine_environment(
    server: AnyServer, engine: Engine, inputs: ServiceInputs, places: Mapping[str, Text]
) -> Iterator[EnvVar]:
    for name, value in engine.environment.items():
        yield EnvVar(name=name, value=fill(value, places))
    if inputs.any_name and engine.any_name is not None:
        for name, value in engine.any_name.environment.items():
            yield EnvVar(name=name, value=fill(value, places), reason=engine.any_name.reason)
    known = _field_values(server, engine, inputs) if engine.field_env else {}
    for field, name in engine.field_env.items():
        if known[field] is not None:
            yield EnvVar(name=name, value=str(known[field]))


def _hub_environment(
    context: ResolveContext, engine: Engine, inputs: ServiceInputs, places: Mapping[str, Text]
) -> Iterator[EnvVar]:
    if any(source.kind == "repo" for source in inputs.sources.values()):
        for name, value in engine.hub_environment.items():
            yield EnvVar(name=name, value=fill(value, places))
        token = context.inventory.hfcache.token_env
        if token is not UNSET:
            yield EnvVar(name=token, value=None, reason="By name only: the value comes from the shell or from .env.")


def _mounts(engine: Engine, inputs: ServiceInputs) -> tuple[Mount, ...]:
    caches = (Mount(source=cache.volume, target=cache.target, volume=True) for cache in engine.caches)
    sources = (source.mount for source in inputs.sources.values() if source.mount is not None)
    # Two sources of one place are one mount.
    return tuple({mount.target: mount for mount in (*sources, *inputs.files, *caches)}.values())
