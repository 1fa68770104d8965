"""The tables of further targets: what a host does not say that is rendered for something else than Compose."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from anvil_gen.inventory import fields as t
from anvil_gen.inventory.schema_base import Table

_QUANTITY = r"^[0-9]+(?:\.[0-9]+)?(?:Mi|Gi|Ti)$(?!\n)"
_UNIT = "Mi, Gi or Ti, as written"
_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$(?!\n)"
_DNS_NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$(?!\n)"


class TargetTable(Table, frozen=True, kw_only=True):
    """What every further target may be told."""

    without: (
        Annotated[
            list[str],
            Meta(
                description="Keys of this inventory that are left out there, with all that is in them, as if they were "
                "not written; `*` for any name. A variable that is left out is its default.",
                examples=[["services", "tiers.coder.mounts"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    models_path: (
        Annotated[
            str,
            t.text(
                "Folder of models on the machine, where it is another one than `paths.models`.",
                r"^/[^\x00]*$",
                examples=["/srv/models"],
            ),
        ]
        | UnsetType
    ) = UNSET
    router_image: (
        Annotated[
            str,
            t.text(
                "Image of the router; needed for one that Compose would build.",
                r"^[^\s\x00]+$(?!\n)",
                examples=["registry.example/anvil-router:2.0.2"],
            ),
        ]
        | UnsetType
    ) = UNSET


class GatewayTable(Table, frozen=True, kw_only=True):
    """The Gateway by which clients outside of the cluster reach the router, as an HTTPRoute."""

    name: Annotated[str, t.text("Name of the Gateway.", _DNS_NAME, 253, examples=["llm"])]
    namespace: (
        Annotated[str, t.text("Namespace of the Gateway.", _LABEL, 63, examples=["gateway-system"])] | UnsetType
    ) = UNSET
    section: Annotated[str, t.text("Listener of the Gateway.", _DNS_NAME, 253, examples=["https"])] | UnsetType = UNSET
    hostname: (
        Annotated[str, t.text("Host name that clients ask for.", _DNS_NAME, 253, examples=["llm.example.internal"])]
        | UnsetType
    ) = UNSET


class KubernetesTable(TargetTable, frozen=True, kw_only=True):
    """What `render --target kubernetes` needs and Compose does not."""

    namespace: (
        Annotated[str, t.text("Namespace of all its objects.", _LABEL, 63, examples=["lab-quad"])] | UnsetType
    ) = UNSET
    node: (
        Annotated[
            str, t.text("The node that is this host: its `kubernetes.io/hostname`.", _DNS_NAME, 253, examples=["box"])
        ]
        | UnsetType
    ) = UNSET
    secret: (
        Annotated[
            str, t.text("Secret with the values of variables, by their names.", _DNS_NAME, 253, examples=["keys"])
        ]
        | UnsetType
    ) = UNSET
    storage_class: (
        Annotated[
            str,
            t.text(
                "Storage class of what is no folder of the host; without it, the cluster's.",
                _DNS_NAME,
                253,
                examples=["fast"],
            ),
        ]
        | UnsetType
    ) = UNSET
    models_size: (
        Annotated[str, t.text("Size that the volume of models states.", _QUANTITY, unit=_UNIT, examples=["1Ti"])]
        | UnsetType
    ) = UNSET
    hfcache_size: (
        Annotated[str, t.text("Size of the shared Hugging Face cache.", _QUANTITY, unit=_UNIT, examples=["500Gi"])]
        | UnsetType
    ) = UNSET
    cache_size: (
        Annotated[str, t.text("Size of each volume of what engines compile.", _QUANTITY, unit=_UNIT, examples=["20Gi"])]
        | UnsetType
    ) = UNSET
    gateway: GatewayTable | UnsetType = UNSET
    gpu_request: (
        Annotated[
            Literal["claim", "device-plugin"],
            Meta(
                description="How pods ask for GPUs: a claim selects them by UUID; the vendor's device plugin gives any "
                "of the node, each to one container, and is refused where that is another one than the inventory says.",
                examples=["device-plugin"],
            ),
        ]
        | UnsetType
    ) = UNSET


class QuadletTable(TargetTable, frozen=True, kw_only=True):
    """What `render --target quadlet` needs and Compose does not."""
