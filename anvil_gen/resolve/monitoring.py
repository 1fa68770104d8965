"""`[monitoring]`: what Prometheus scrapes of a host, which names it records, and the facts that alerts go by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import UNSET

from anvil_gen.catalog.metrics import Exporter, Metrics
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.layers import Layer, layered
from anvil_gen.resolve.model import Mode, Port, Router, Tier
from anvil_gen.resolve.monitoring_model import (
    EngineFacts,
    GpuFacts,
    Job,
    Monitoring,
    RecordedMetric,
    Relabel,
    Target,
    TierFacts,
)
from anvil_gen.resolve.options import HostOptions, MonitoringOptions
from anvil_gen.text.units import parse_duration
from anvil_gen.values import VariableValue, compose_text, fill_placeholders

GPU_SERVICE, HOST_SERVICE = "gpu-metrics", "host-metrics"  # of GPUs one for each vendor
GPU_LABEL = "gpu"
KEY_FILE = "/tmp/router-key"  # noqa: S108  in the container of Prometheus, in memory
_BESIDE_IT = "router-key"  # beside the configuration of a Prometheus that is there already
_EVERYWHERE = ("", "0.0.0.0", "[::]")  # noqa: S104  compared, not bound


def monitoring_options(context: ResolveContext) -> MonitoringOptions | None:
    """Return the options of `[monitoring]`; None for an inventory without it."""
    table = context.inventory.monitoring
    if table is UNSET:
        return None
    return layered(
        MonitoringOptions,
        Layer(name="templates/defaults.toml", values=fill_placeholders(context.catalog.defaults["monitoring"], {})),
        Layer(name="[monitoring]", values=_written(table), path=("monitoring",)),
    )


def _written(table: Any) -> dict[str, Any]:
    return {name: value for name in table.__struct_fields__ if (value := getattr(table, name)) is not UNSET}


def build_monitoring(
    context: ResolveContext, host: HostOptions, tiers: tuple[Tier, ...], modes: tuple[Mode, ...]
) -> Monitoring | None:
    """Return what the files of `[monitoring]` say; None for an inventory without it."""
    options = monitoring_options(context)
    if options is None:
        return None
    router = modes[0].router
    watched = _watched_router(context, router)
    gpu_jobs = [] if options.existing else list(_gpu_jobs(context, host.name))
    names = {gpu for job in gpu_jobs for gpu in (relabel.value for relabel in job.relabels)}
    jobs = (
        Job(name="tiers", targets=tuple(_tier_targets(context, options, host, tiers))),
        *([_router_job(options, host, router, watched)] if router is not None and watched is not None else []),
        *gpu_jobs,
        *([_host_job(host.name)] if not options.existing else []),
    )
    return Monitoring(
        existing=options.existing,
        jobs=tuple(job for job in jobs if job.targets),
        hosts=context.federated,
        recorded=tuple(_recorded(context, tiers, watched)),
        tiers=tuple(_tier_facts(context, tier, modes, watched) for tier in tiers),
        gpus=tuple(GpuFacts(name=name, watched=name in names) for name in context.gpus),
        router=router.service if router is not None and watched is not None else "",
        host_metrics=not options.existing,
        textfile=options.textfile is not None,
    )


def _metrics_of(context: ResolveContext, tier: Tier) -> Metrics | None:
    engine = context.catalog.engine(tier.engine)
    return engine.metrics if engine is not None else None


def _watched_router(context: ResolveContext, router: Router | None) -> Metrics | None:
    """Return the metrics of a router, if it has any."""
    kind = context.catalog.router(router.kind) if router is not None else None
    is_on = router is not None and (router.limits.metrics_port or router.limits.metrics_key)
    return kind.metrics if is_on and kind is not None else None


def router_key(router: Router | None) -> str | None:
    """Return the variable with the key that a router's metrics are behind; None where they ask for none."""
    is_behind = router is not None and router.limits.metrics_key and not router.limits.metrics_port
    return router.api_key_env if router is not None and is_behind else None


def _tier_targets(
    context: ResolveContext, options: MonitoringOptions, host: HostOptions, tiers: Iterable[Tier]
) -> Iterator[Target]:
    for tier in tiers:
        metrics = _metrics_of(context, tier)
        address = f"{tier.address}:{tier.container_port}"
        if tier.address == tier.service.name:
            address = _address(options, host, tier.service.ports, address)
        if metrics is not None and address and tier.answers:
            labels = {"host": host.name, "tier": tier.name, "engine": tier.engine, "model": tier.served_name}
            yield Target(address=address, path=metrics.path, labels=labels)


def _address(options: MonitoringOptions, host: HostOptions, ports: tuple[Port, ...], inside: str) -> str:
    """Return where Prometheus reaches a service: in its network, or, from the host, where it is published."""
    if not options.existing:
        return inside
    port = ports[0] if ports else None
    if port is None or "$" in compose_text(port.number):
        return ""
    where = (host.address or "127.0.0.1") if port.host in _EVERYWHERE else port.host
    return f"{where}:{port.number}"


def _router_job(options: MonitoringOptions, host: HostOptions, router: Router, metrics: Metrics) -> Job:
    own_port = router.limits.metrics_port
    address = f"127.0.0.1:{own_port}" if options.existing else f"{router.service}:{own_port}"
    if own_port is None:
        address = _address(options, host, router.ports, f"{router.service}:{router.port}")
    relabels = [
        Relabel(source=source, pattern="(.+)", target=label, value="$1")
        for label, sources in metrics.labels.items()
        for source in sources
    ]
    # Prometheus calls each target by its address: one more of the same address would write the same `up`.
    further = {path: {"instance": f"{address}{path}"} for path in metrics.further_paths}
    targets = tuple(
        Target(address=address, path=path, labels={"host": host.name, **labels})
        for path, labels in {metrics.path: {}, **further}.items()
    )
    return Job(
        name="router",
        targets=targets if address else (),
        relabels=tuple(relabels),
        credentials_file="" if router_key(router) is None else _BESIDE_IT if options.existing else KEY_FILE,
        tls=own_port is None and router.limits.tls is not None,
    )


def gpu_exporters(context: ResolveContext) -> dict[str, Exporter]:
    """Return what exports the metrics of a host's GPUs, by vendor."""
    vendors = dict.fromkeys(gpu.vendor for gpu in context.gpus.values())
    found = {name: data.exporter for name in vendors if (data := context.catalog.vendor(name)) is not None}
    return {name: exporter for name, exporter in found.items() if exporter is not None}


def _gpu_jobs(context: ResolveContext, host: str) -> Iterator[Job]:
    for vendor, exporter in gpu_exporters(context).items():
        own = [gpu for gpu in context.gpus.values() if gpu.vendor == vendor]
        address = f"{GPU_SERVICE}-{vendor}:{exporter.port}"
        yield Job(
            name=f"gpus {vendor}",
            targets=(Target(address=address, path=exporter.path, labels={"host": host}),),
            relabels=tuple(relabel for gpu in own for relabel in _named(exporter, gpu, is_alone=len(own) == 1)),
        )


def _named(exporter: Exporter, gpu: Gpu, *, is_alone: bool) -> Iterator[Relabel]:
    """Yield what gives a GPU's samples its name: nothing where they do not tell which GPU they are of."""
    for label in exporter.labels:
        found = re.fullmatch(label.form, gpu.device_id)
        if found is not None and (is_alone or not label.alone):
            yield Relabel(source=label.label, pattern=found.expand(label.pattern), target=GPU_LABEL, value=gpu.name)


def _host_job(host: str) -> Job:
    target = Target(address=f"{HOST_SERVICE}:9100", path="/metrics", labels={"host": host})
    return Job(name="host", targets=(target,))


def _recorded(context: ResolveContext, tiers: Iterable[Tier], router: Metrics | None) -> Iterator[RecordedMetric]:
    """Yield each common metric that something here has, with what all of those who have it call it."""
    sources: list[Mapping[str, str]] = [metrics.names for tier in tiers if (metrics := _metrics_of(context, tier))]
    sources += [router.names] if router is not None else []
    sources += [exporter.names for exporter in gpu_exporters(context).values()]
    for name, common in context.catalog.common_metrics.items():
        own = dict.fromkeys(source[name] for source in sources if name in source)
        if own:
            expression = " or ".join(common.form.replace("{name}", one) for one in own)
            yield RecordedMetric(
                name=name,
                record=common.record,
                expression=expression,
                scope=common.scope,
                panel=common.panel,
                legend=common.legend,
                unit=common.unit,
            )


def _tier_facts(context: ResolveContext, tier: Tier, modes: tuple[Mode, ...], router: Metrics | None) -> TierFacts:
    metrics, options, first = _metrics_of(context, tier), tier.options, modes[0]
    sequences = options.max_sequences
    routed = [
        one.name for mode in modes if mode.router is not None for up in mode.router.upstreams for one in up.servers
    ]
    return TierFacts(
        name=tier.name,
        title=f"{tier.name}: {tier.served_name} ({tier.engine})",
        service=tier.service.name,
        start_seconds=_seconds(options.start_period),
        max_sequences=None if sequences is None or isinstance(sequences, VariableValue) else sequences,
        engine=_engine_facts(context, tier),
        default=tier.name in [one.name for one in first.tiers],
        routed=router is not None and "router_tier_up" in router.names and tier.name in routed,
        metrics=tuple(metrics.names) if metrics is not None and tier.answers else (),
    )


def _engine_facts(context: ResolveContext, tier: Tier) -> EngineFacts:
    engine, metrics = context.catalog.engine(tier.engine), _metrics_of(context, tier)
    title = engine.title if engine is not None else tier.engine
    return EngineFacts(name=tier.engine, title=title, metrics=tuple(metrics.names) if metrics is not None else ())


def _seconds(period: str | bool) -> int:
    """Return a period in seconds, of a variable its default; 0 where there is none."""
    return int(parse_duration(period)) if isinstance(period, str) else 0
