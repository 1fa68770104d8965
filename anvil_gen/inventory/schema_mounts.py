"""What a service mounts, and the networks that it is on."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from anvil_gen.inventory import fields as t
from anvil_gen.inventory.schema_base import Table


class MountTable(Table, frozen=True, kw_only=True):
    """One mount, in full: exactly one of `source` and `volume`."""

    source: t.MountSource | UnsetType = UNSET
    volume: t.VolumeKey | UnsetType = UNSET
    read_only: (
        Annotated[bool, Meta(description="`false` for a mount that the container writes to.", examples=[False])]
        | UnsetType
    ) = UNSET
    selinux: t.SelinuxLabel | UnsetType = UNSET
    create: (
        Annotated[
            bool,
            Meta(
                description="Docker creates a folder that does not exist, by `bind.create_host_path`; else it is an "
                "error.",
                examples=[True],
            ),
        ]
        | UnsetType
    ) = UNSET
    propagation: (
        Annotated[
            Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"],
            Meta(
                description="Whether what is mounted below a folder later is seen on the other side, "
                "`bind.propagation`.",
                examples=["rslave"],
            ),
        ]
        | UnsetType
    ) = UNSET
    nocopy: (
        Annotated[
            Literal[True],
            Meta(
                description="A new volume stays empty: nothing of the image is copied into it, `volume.nocopy`.",
                examples=[True],
            ),
        ]
        | UnsetType
    ) = UNSET
    subpath: (
        Annotated[str, t.text("The folder of a volume that is mounted, `volume.subpath`.", examples=["models/small"])]
        | UnsetType
    ) = UNSET


class NetworkTable(Table, frozen=True, kw_only=True):
    """How a service is on one network, in Compose's own keys."""

    aliases: Annotated[list[str], Meta(description="Further host names there.", examples=[["chat"]])] | UnsetType = (
        UNSET
    )
    ipv4_address: Annotated[str, t.text("A fixed address there.", examples=["10.77.0.20"])] | UnsetType = UNSET
    ipv6_address: Annotated[str, t.text("A fixed address there.", examples=["fd00:77::20"])] | UnsetType = UNSET
    link_local_ips: (
        Annotated[list[str], Meta(description="Link-local addresses there.", examples=[["169.254.8.1"]])] | UnsetType
    ) = UNSET
    mac_address: (
        Annotated[
            str,
            t.text(
                "A fixed hardware address.",
                r"^[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}$(?!\n)",
                examples=["02:42:ac:11:65:43"],
            ),
        ]
        | UnsetType
    ) = UNSET
    priority: (
        Annotated[int, Meta(description="The network with the highest one is joined first.", examples=[100])]
        | UnsetType
    ) = UNSET


Mounts = Annotated[
    dict[t.ContainerPath, t.MountSource | MountTable],
    Meta(
        description="Folders and files of the host, and volumes, by their path in the container: Compose's "
        "`volumes`. They are read-only unless the long form says otherwise.",
        examples=[{"/media": "/srv/videos", "/cache": {"volume": "cache", "read_only": False}}],
    ),
]
Networks = Annotated[
    list[t.NetworkKey] | dict[t.NetworkKey, NetworkTable],
    Meta(
        description="Networks of `[networks]` that the service is on, instead of `default`; a table says more of each, "
        "in Compose's own keys. The router has to share one with each of its tiers.",
        examples=[["default", "edge"], {"edge": {"aliases": ["chat"]}}],
    ),
]
