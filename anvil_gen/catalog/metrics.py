"""Metrics in Prometheus' form: what engines, routers and exporters call them, and the names that all have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Names = Annotated[
    Mapping[str, str],
    Meta(
        description="What it calls a metric of `templates/monitoring/metrics.toml`; a selector may follow, and of a "
        "histogram the name without `_bucket`."
    ),
]
Sources = Annotated[tuple[str, ...], Meta(description="Where the names are documented.")]


class Metrics(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The metrics of an engine or a router."""

    path: Annotated[str, Meta(description="Path of the request.")] = "/metrics"
    further_paths: Annotated[tuple[str, ...], Meta(description="Paths of more of a router's metrics.")] = ()
    port: (
        Annotated[
            int,
            Meta(
                description="Port of a router's metrics where `[router] metrics` sets none. Without it they are on the "
                "router's own port, behind its clients' key."
            ),
        ]
        | None
    ) = None
    flags: Annotated[
        Mapping[str, Any], Meta(description="Flags that turn them on, set where the inventory has `[monitoring]`.")
    ] = {}
    labels: Annotated[
        Mapping[str, tuple[str, ...]],
        Meta(description="`tier` or `name` -> the labels that have it; the last one that a sample has counts."),
    ] = {}
    names: Names = {}
    sources: Sources = ()


class GpuLabel(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A label by which samples name a GPU, for those that the inventory knows by ids of one form."""

    label: Annotated[str, Meta(description="The name of the label.")]
    form: Annotated[str, Meta(description="Form of the inventory's id, as a regular expression.")] = "(.+)"
    pattern: Annotated[
        str,
        Meta(
            description="Form of the label, as a regular expression of Prometheus; `\\1` is the first group of `form`."
        ),
    ] = r"\1"
    alone: Annotated[
        bool, Meta(description="The label does not say which GPU it is: for a host that has one of the vendor.")
    ] = False


class Exporter(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The program that exports the metrics of a vendor's GPUs."""

    image: Annotated[str, Meta(description="Its image, with a tag.")]
    port: Annotated[int, Meta(description="Port that it listens on.")]
    path: Annotated[str, Meta(description="Path of the request.")] = "/metrics"
    command: Annotated[tuple[str, ...], Meta(description="Its arguments.")] = ()
    environment: Annotated[Mapping[str, str], Meta(description="Its environment variables.")] = {}
    needs_gpus: Annotated[
        bool, Meta(description="It is given the GPUs; otherwise it reads what the kernel tells everybody.")
    ] = True
    rights: Annotated[
        Mapping[str, Any],
        Meta(description="Compose's keys for what it needs besides `[gpu-metrics]` of `templates/monitoring/`."),
    ] = {}
    labels: Annotated[tuple[GpuLabel, ...], Meta(description="How its samples name a GPU.")]
    names: Names = {}
    sources: Sources = ()


class CommonMetric(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A metric that all have in common: the rule that records it."""

    record: Annotated[str, Meta(description="Its name.")]
    form: Annotated[str, Meta(description="How it is computed from a metric `{name}`.")]
    scope: Annotated[Literal["tier", "router", "name", "gpu"], Meta(description="What it is of.")]
    panel: Annotated[str, Meta(description="Title of the panel that shows it.")]
    legend: Annotated[str, Meta(description="What it is called there, besides what it is of.")] = ""
    unit: Annotated[str, Meta(description="Its unit, as Grafana names them.")] = "short"
