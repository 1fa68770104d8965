"""The table `[monitoring]`: metrics, alerts and dashboards of a host."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from anvil_gen.inventory import fields as t
from anvil_gen.inventory.schema_base import Table

_IMAGE = r"^[^\s\x00]+$(?!\n)"


class MonitoringTable(Table, frozen=True, kw_only=True):
    """Prometheus, Grafana and exporters as services of the project, with their files in `monitoring/`.

    An empty table is enough.
    """

    existing: (
        Annotated[
            bool,
            Meta(
                description="Render the files alone, for a Prometheus that runs on the host already.", examples=[True]
            ),
        ]
        | UnsetType
    ) = UNSET
    hosts: (
        Annotated[
            list[t.HostName],
            Meta(
                description="Other hosts of the fleet, by the names of their inventories: this Prometheus takes the "
                "metrics of theirs too, at the `address` of their `[host]`.",
                max_length=32,
                examples=[["lab-quad"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    bind: t.Bind | UnsetType = UNSET
    port: t.PortNumber | UnsetType = UNSET
    grafana_port: t.PortNumber | UnsetType = UNSET
    grafana_password_env: (
        Annotated[
            str,
            t.text(
                "Variable with the password of Grafana's user `admin`, which it takes when it starts first.",
                t.VARIABLE_PATTERN,
                examples=["GRAFANA_PASSWORD"],
            ),
        ]
        | UnsetType
    ) = UNSET
    retention: (
        Annotated[
            str,
            t.text(
                "How long Prometheus keeps metrics.",
                r"^([1-9][0-9]{0,3}[hdw]|[1-9][0-9]?y)$(?!\n)",
                unit="h, d, w or y, as written",
                examples=["30d"],
            ),
        ]
        | UnsetType
    ) = UNSET
    textfile: (
        Annotated[
            str,
            t.text(
                "Folder of this host in which a timer leaves what `anvil-gen status --metrics` prints, as `*.prom`: "
                "an absolute path.",
                r"^/[^\x00]+$",
                examples=["/var/lib/anvil-gen"],
            ),
        ]
        | UnsetType
    ) = UNSET
    prometheus_image: (
        Annotated[str, t.text("Image of Prometheus.", _IMAGE, examples=["prom/prometheus:v3.5.0"])] | UnsetType
    ) = UNSET
    grafana_image: (
        Annotated[str, t.text("Image of Grafana.", _IMAGE, examples=["grafana/grafana:12.1.1"])] | UnsetType
    ) = UNSET
    host_image: (
        Annotated[
            str,
            t.text(
                "Image of the node exporter, which tells the host's memory.",
                _IMAGE,
                examples=["quay.io/prometheus/node-exporter:v1.9.1"],
            ),
        ]
        | UnsetType
    ) = UNSET
