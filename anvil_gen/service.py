"""The compose service of a serve: its command, environment, mounts and health check."""

from typing import Any

from msgspec import Struct

from anvil_gen.catalog import Health
from anvil_gen.command import arguments, canonical_flag, shell_words
from anvil_gen.model import (
    EnvRef,
    EnvVar,
    HealthCheck,
    Mount,
    Number,
    Reservation,
    Service,
    Symbol,
    Text,
    concat,
    fill,
    published,
)
from anvil_gen.serve import Serve, Site, matching_quirks
from anvil_gen.sources import Source


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
        ports=published(options["bind"], facts.port),
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

    vendor = site.catalog.vendor(vendor_name) if vendor_name else None
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
