"""The inventory's format: one definition of keys, types, units and descriptions.

The JSON Schema is generated from these structs (`anvil_gen.inventory.json_schema`); defaults are in
``templates/defaults.toml``.
Every key is optional here, so that one missing key does not hide the other errors; what must be there is checked by
`anvil_gen.resolve.checks`, and named in ``REQUIRED`` for the schema.
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from anvil_gen.inventory import fields as t
from anvil_gen.inventory import fields_router as r
from anvil_gen.inventory.schema_base import Table
from anvil_gen.inventory.schema_group import LinkName, LinkTable
from anvil_gen.inventory.schema_host import GpuTable, HfCacheTable, HostTable, PathsTable
from anvil_gen.inventory.schema_monitoring import MonitoringTable
from anvil_gen.inventory.schema_router import RouterTable
from anvil_gen.inventory.schema_targets import KubernetesTable, QuadletTable
from anvil_gen.inventory.schema_tier import ExperimentTable, TierTable

SCHEMA = 1
"""The newest inventory format that this version reads."""

REQUIRED = {
    "Inventory": ("schema",),
    "GroupTable": ("schema", "hosts", "link", "tiers"),
    "GpuTable": (),
    "TierTable": (),
}
"""Keys that must be there, by struct."""

FileKey = Annotated[
    str,
    t.text("A key of `[secrets]` or `[configs]`: what a service names.", t.SERVICE_PATTERN, examples=["hub_token"]),
]
RENAMED = {("router", old): new for old, new in RouterTable.RENAMED.items()}
"""Keys of older versions -> what they are called now."""


class ModeTable(Table, frozen=True, kw_only=True):
    """A set of tiers and services that runs together, with its own root file and routes."""

    tiers: Annotated[list[str], Meta(description="The tiers that run.", examples=[["fast", "coder"]])]
    services: (
        Annotated[
            list[str],
            Meta(
                description="The further services that run. Without it, every one that is not on standby.",
                examples=[["ui"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    aliases: r.Aliases | UnsetType = UNSET


class Inventory(Table, frozen=True, kw_only=True):
    """One host and what it serves."""

    schema: (
        Annotated[int, Meta(description="Version of this format.", ge=SCHEMA, le=SCHEMA, examples=[SCHEMA])] | UnsetType
    ) = UNSET
    host: HostTable = HostTable()
    paths: PathsTable = PathsTable()
    hfcache: HfCacheTable = HfCacheTable()
    gpus: Annotated[dict[t.GpuKey, GpuTable], Meta(description="The GPUs, by names of yours.")] = field(
        default_factory=dict
    )
    links: Annotated[
        dict[LinkName, LinkTable], Meta(description="Networks by which the ranks of groups reach each other.")
    ] = field(default_factory=dict)
    tiers: Annotated[
        dict[t.TierName, TierTable],
        Meta(description="The model servers, by names of yours: lower-case letters, digits, `-`, `_`, `.`."),
    ] = field(default_factory=dict)
    defaults: Annotated[TierTable, Meta(description="Anything that a tier may set, for all of them.")] = TierTable()
    services: Annotated[
        dict[t.ServiceName, dict[str, Any]],
        Meta(
            description="Further compose services of the host, in Compose's own keys, and `files` and "
            "`standby` as in a tier. They run in every mode that does not name its own.",
            examples=[{"ui": {"image": "ghcr.io/open-webui/open-webui:main"}}],
        ),
    ] = field(default_factory=dict)
    volumes: Annotated[
        dict[t.VolumeKey, dict[str, Any]],
        Meta(
            description="Volumes, in Compose's own keys. One that is mounted and not here is the project's own.",
            examples=[{"weights": {"external": True, "name": "shared-weights"}}],
        ),
    ] = field(default_factory=dict)
    networks: Annotated[
        dict[t.NetworkKey, dict[str, Any]],
        Meta(
            description="Networks, in Compose's own keys; `default` is the one that every service is on which names "
            "no other.",
            examples=[{"edge": {"external": True, "name": "site-edge"}}],
        ),
    ] = field(default_factory=dict)
    secrets: Annotated[
        dict[FileKey, dict[str, Any]],
        Meta(
            description="Compose's secrets, in its own keys: a `file` of the host, or the variable in `environment`. "
            "Services name them in `secrets`.",
            examples=[{"hub_token": {"environment": "HF_TOKEN"}}],
        ),
    ] = field(default_factory=dict)
    configs: Annotated[
        dict[FileKey, dict[str, Any]],
        Meta(
            description="Compose's configs, in its own keys: a `file` of the host, or its `content`. Services name "
            "them in `configs`. Compose does not notice what has changed in one; a file in `files` it does.",
            examples=[{"search": {"file": "search.yaml"}}],
        ),
    ] = field(default_factory=dict)
    modes: Annotated[
        dict[t.ModeName, ModeTable],
        Meta(description="Sets of tiers and services that run together. Without one, all but the `standby` ones run."),
    ] = field(default_factory=dict)
    router: RouterTable | UnsetType = UNSET
    experiment: ExperimentTable | UnsetType = UNSET
    monitoring: MonitoringTable | UnsetType = UNSET
    kubernetes: KubernetesTable = KubernetesTable()
    quadlet: QuadletTable = QuadletTable()
