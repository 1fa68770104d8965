"""The router's table: what the router shall do, of whichever kind it is."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, UnsetType

from anvil_gen.inventory import fields as t
from anvil_gen.inventory import fields_router as r
from anvil_gen.inventory.schema_base import Logging, Table
from anvil_gen.inventory.schema_mounts import Mounts, Networks


class TlsTable(Table, frozen=True, kw_only=True):
    """The files with which the router serves HTTPS."""

    certificate: Annotated[
        str, t.text("The certificate with its chain: an absolute path of a PEM file.", examples=["/etc/tls/box.pem"])
    ]
    key: Annotated[
        str,
        t.text(
            "The certificate's private key: an absolute path of a PEM file, which the router's user can read.",
            examples=["/etc/tls/box.key"],
        ),
    ]


class RouterTierTable(Table, frozen=True, kw_only=True):
    """What the router shall keep to with one tier."""

    timeout: r.Timeout | UnsetType = UNSET
    concurrency: r.Concurrency | UnsetType = UNSET
    sticky: r.Sticky | UnsetType = UNSET


class RouterTable(Table, frozen=True, kw_only=True):
    """The router: one OpenAI-compatible endpoint for all tiers, a service of the same project."""

    RENAMED: ClassVar[Mapping[str, str]] = {"engine": "kind"}
    CALLED_ELSEWHERE: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("api_key", "api_keys", "key", "keys", "token", "master_key"), "api_key_env"),
        **dict.fromkeys(("type", "router"), "kind"),
    }

    kind: (
        Annotated[
            str,
            t.text("Router: a folder of `templates/routers/`.", t.SERVICE_PATTERN, t.NAME_LENGTH),
        ]
        | UnsetType
    ) = UNSET
    image: t.ImageName | UnsetType = UNSET
    service: t.ServiceName | UnsetType = UNSET
    container_name: t.ContainerName | UnsetType = UNSET
    port: t.PortNumber | UnsetType = UNSET
    bind: t.Bind | UnsetType = UNSET
    api_key_env: r.KeyNames | UnsetType = UNSET
    api_key_sha256: r.KeyDigests | UnsetType = UNSET
    aliases: r.Aliases | UnsetType = UNSET
    fallbacks: r.Fallbacks | UnsetType = UNSET
    hosts: (
        Annotated[
            list[t.HostName],
            Meta(
                description="Other hosts of the fleet, by the names of their inventories: this router serves what "
                "theirs do, and a model that several have is balanced.",
                max_length=8,
                examples=[["lab-quad"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    hosts_ca: (
        Annotated[
            str,
            t.text(
                "Certificates that verify `hosts` with `tls`: an absolute path of a PEM file on this host.",
                examples=["/etc/tls/fleet-ca.pem"],
            ),
        ]
        | UnsetType
    ) = UNSET
    default_tier: (
        Annotated[
            str, t.text("The tier that answers a request which names no model. Without it: 400.", examples=["fast"])
        ]
        | UnsetType
    ) = UNSET
    timeout: r.Timeout | UnsetType = UNSET
    tiers: (
        Annotated[
            dict[t.TierName, RouterTierTable],
            Meta(
                description="What the router keeps to with single tiers.",
                examples=[{"fast": {"timeout": "10m", "concurrency": 32}}],
            ),
        ]
        | UnsetType
    ) = UNSET
    body_limit: r.BodyLimit | UnsetType = UNSET
    metrics: r.Metrics | UnsetType = UNSET
    paths: r.Paths | UnsetType = UNSET
    cors: r.Cors | UnsetType = UNSET
    tls: (
        Annotated[
            TlsTable,
            Meta(
                description="The files with which the router serves HTTPS instead of HTTP.",
                examples=[{"certificate": "/etc/tls/box.pem", "key": "/etc/tls/box.key"}],
            ),
        ]
        | UnsetType
    ) = UNSET
    restart: t.Restart | UnsetType = UNSET
    stop_grace_period: t.GracePeriod | UnsetType = UNSET
    init: t.Init | UnsetType = UNSET
    logging: Logging | UnsetType = UNSET
    log_max_size: t.LogSize | UnsetType = UNSET
    log_max_files: t.LogFiles | UnsetType = UNSET
    mounts: Mounts | UnsetType = UNSET
    networks: Networks | UnsetType = UNSET
    override: (
        Annotated[
            dict[str, Any],
            Meta(
                description=(
                    "Compose keys that have the last word: mappings merge deep, `volumes` by target, "
                    "`networks` by name. Other lists replace; `{ add = [...] }` appends. "
                    "`{ remove = true }` removes a key, and so does `false` where Compose takes no boolean."
                ),
                examples=[{"mem_limit": "1g"}],
            ),
        ]
        | UnsetType
    ) = UNSET
