"""What the files of `[monitoring]` say: what is scraped, which names are recorded, and the facts that alerts go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct


class Target(Struct, frozen=True, kw_only=True):
    """What Prometheus scrapes: an address with a path, and labels for all that it tells."""

    address: str
    path: str
    labels: Mapping[str, str]


class Relabel(Struct, frozen=True, kw_only=True):
    """A label of the samples that is made of another one, where that matches."""

    source: str
    pattern: str
    target: str
    value: str


class Job(Struct, frozen=True, kw_only=True):
    """Targets of one kind."""

    name: str
    targets: tuple[Target, ...]
    relabels: tuple[Relabel, ...] = ()
    credentials_file: str = ""  # with the key that is asked for; empty for none
    tls: bool = False


class FederatedHost(Struct, frozen=True, kw_only=True):
    """Another host's Prometheus, whose metrics are taken too."""

    name: str
    address: str


class RecordedMetric(Struct, frozen=True, kw_only=True):
    """A metric that all have in common, and how this host's are computed to it."""

    name: str
    record: str
    expression: str
    scope: str
    panel: str
    legend: str
    unit: str


class Query(Struct, frozen=True, kw_only=True):
    """A line of a panel."""

    expression: str
    legend: str


class Panel(Struct, frozen=True, kw_only=True):
    """A panel of a dashboard."""

    title: str
    unit: str
    queries: tuple[Query, ...]


class EngineFacts(Struct, frozen=True, kw_only=True):
    """What dashboards take from an engine."""

    name: str
    title: str
    metrics: tuple[str, ...]  # those of the common ones that it has

    @property
    def variable(self) -> str:
        """The variable of Grafana that stands for each of its tiers."""
        return f"tier_{self.name.replace('-', '_')}"


class TierFacts(Struct, frozen=True, kw_only=True):
    """What alerts and dashboards take from a tier. ``start_seconds`` is 0 where it is not known."""

    name: str
    title: str
    service: str
    start_seconds: int
    max_sequences: int | None
    engine: EngineFacts
    default: bool  # it runs in the default mode
    routed: bool  # the router tells whether it reaches it
    metrics: tuple[str, ...]  # those of the common ones that it has

    def has(self, metric: str) -> bool:
        """Tell whether it has a metric."""
        return metric in self.metrics


class GpuFacts(Struct, frozen=True, kw_only=True):
    """What alerts take from a GPU. ``limit`` is what its tiers take together in any mode, in bytes, as fit says."""

    name: str
    watched: bool  # an exporter names it
    limit: int | None = None


class Monitoring(Struct, frozen=True, kw_only=True):
    """The files of `[monitoring]`."""

    existing: bool
    jobs: tuple[Job, ...]
    hosts: tuple[FederatedHost, ...]
    recorded: tuple[RecordedMetric, ...]
    tiers: tuple[TierFacts, ...]
    gpus: tuple[GpuFacts, ...]
    router: str  # its service, where its metrics are scraped; else empty
    host_metrics: bool
    textfile: bool
    largest_weights: int | None = None  # bytes, of the tier with the largest

    def has(self, metric: str) -> bool:
        """Tell whether a metric is recorded."""
        return any(one.name == metric for one in self.recorded)

    @property
    def targets_up(self) -> Panel:
        """What answers."""
        query = Query(expression="min by (host, job) (anvil:target_up)", legend="{{host}} {{job}}")
        return Panel(title="Answers Prometheus", unit="bool_yes_no", queries=(query,))

    @property
    def alerts(self) -> Panel:
        """The alerts that fire."""
        query = Query(
            expression='sum by (alertname, tier) (ALERTS{alertstate="firing"})', legend="{{alertname}} {{tier}}"
        )
        return Panel(title="Alerts", unit="short", queries=(query,))

    def host_memory(self, host: str) -> Panel:
        """Return the memory of this host, which is the GPU's too where they share it."""
        names = {"used": "anvil:host_memory_used_bytes", "of": "anvil:host_memory_total_bytes"}
        queries = [Query(expression=f'{record}{{host="{host}"}}', legend=legend) for legend, record in names.items()]
        return Panel(title="Memory of the host", unit="bytes", queries=tuple(queries))

    @property
    def engines(self) -> tuple[EngineFacts, ...]:
        """The engines of its tiers that tell metrics, in the order of the tiers."""
        return tuple({tier.engine.name: tier.engine for tier in self.tiers if tier.metrics}.values())

    def engine_panels(self, host: str, engine: EngineFacts) -> tuple[Panel, ...]:
        """Return the panels of each tier of an engine on this host: a new tier changes none of them.

        Grafana escapes the value of a variable that may have several for a regular expression.
        """
        own = [metric for metric in self.recorded if metric.scope == "tier" and metric.name in engine.metrics]
        return _panels(own, f'{{host="{host}", tier=~"${engine.variable}"}}', ())

    def panels(self, scope: str, selector: str, *labels: str) -> tuple[Panel, ...]:
        """Return the panels of a scope, whose lines are called by some labels."""
        return _panels([metric for metric in self.recorded if metric.scope == scope], selector, labels)


def _panels(metrics: Sequence[RecordedMetric], selector: str, labels: Sequence[str]) -> tuple[Panel, ...]:
    """Return metrics by their panels."""
    by_title: dict[str, list[RecordedMetric]] = {}
    for metric in metrics:
        by_title.setdefault(metric.panel, []).append(metric)
    return tuple(
        Panel(
            title=title,
            unit=own[0].unit,
            queries=tuple(Query(expression=one.record + selector, legend=_legend(one, labels)) for one in own),
        )
        for title, own in by_title.items()
    )


def _legend(metric: RecordedMetric, labels: Sequence[str]) -> str:
    """Return what Grafana calls a line: the labels in its own form."""
    return " ".join(part for part in (*(f"{{{{{label}}}}}" for label in labels), metric.legend) if part)
