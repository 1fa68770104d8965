"""Groups: `groups/NAME.toml`, one model over several hosts; and the links of a host, by which they reach each other."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from anvil_gen.inventory import fields as t
from anvil_gen.inventory import gpu_fields as g
from anvil_gen.inventory.schema_base import Table
from anvil_gen.inventory.schema_tier import TierTable

_INTERFACE = r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$(?!\n)"

LinkName = Annotated[
    str, t.text("Name of a link: the same on each host of a group.", t.NAME_PATTERN, t.NAME_LENGTH, examples=["roce"])
]


class LinkTable(Table, frozen=True, kw_only=True):
    """One network of the host by which the ranks of a group reach each other."""

    address: Annotated[str, t.text("The host's own IP address there.", examples=["192.168.100.10"])] | UnsetType = UNSET
    interface: (
        Annotated[
            str,
            t.text("Network interface that has the address.", _INTERFACE, 15, examples=["enp1s0f0np0"]),
        ]
        | UnsetType
    ) = UNSET
    hcas: (
        Annotated[
            list[Annotated[str, t.text("Name in `/sys/class/infiniband`.", _INTERFACE, examples=["rocep1s0f0"])]],
            Meta(
                description="RDMA adapters of the link, as `/sys/class/infiniband` names them; without one, ranks "
                "speak TCP.",
                min_length=1,
                examples=[["rocep1s0f0", "roceP2p1s0f0"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    gid_index: (
        Annotated[
            int,
            Meta(
                description="Entry of the adapters' table of addresses: 3 is usual for RoCE v2.",
                ge=0,
                le=255,
                examples=[3],
            ),
        ]
        | UnsetType
    ) = UNSET


class GroupFields(Table, frozen=True, kw_only=True):
    """What a group says besides its tier."""

    schema: Annotated[int, Meta(description="Version of this format.", ge=1, le=1, examples=[1])] | UnsetType = UNSET
    hosts: (
        Annotated[
            list[Annotated[str, t.text("A host of the fleet, by the name of its file.", examples=["spark-a"])]],
            Meta(
                description="The hosts, in the order of ranks: the first one is the head, which answers requests.",
                min_length=2,
                max_length=64,
                examples=[["spark-a", "spark-b"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    link: (
        Annotated[str, t.text("The link of each host, a name of its `[links]`.", t.NAME_PATTERN, examples=["roce"])]
        | UnsetType
    ) = UNSET
    executor: (
        Annotated[
            str,
            t.text(
                "What holds the ranks together, where an engine knows several ways: of vLLM `mp` (default) or `ray`.",
                t.NAME_PATTERN,
                examples=["ray"],
            ),
        ]
        | UnsetType
    ) = UNSET
    link_port: (
        Annotated[
            int,
            Meta(
                description="Port at which ranks meet, on the link; without it, the engine's usual one.",
                ge=1,
                le=65535,
                examples=[25000],
            ),
        ]
        | UnsetType
    ) = UNSET


class GroupTierTable(TierTable, frozen=True, kw_only=True):
    """The tier of a group: anything that a tier may set. Nothing of the hosts' `[defaults]` goes into it."""

    gpus: (
        Annotated[
            dict[str, g.Gpus] | g.Gpus,
            Meta(
                description="GPUs of each host, by its name in `hosts`; or in the form of a tier, where all hosts call "
                "them alike.",
                examples=[{"spark-a": ["gb10"], "spark-b": ["gb10"]}],
            ),
        ]
        | UnsetType
    ) = UNSET  # type: ignore[assignment]  # a tier's is of one host


class GroupTable(GroupFields, frozen=True, kw_only=True):
    """One model over several hosts."""

    tiers: Annotated[
        dict[t.TierName, GroupTierTable], Meta(description="The tier, by a name of yours: exactly one.")
    ] = field(default_factory=dict)
