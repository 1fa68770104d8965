"""A host's part in a group: which rank it has, and what it has to know of the others."""

from __future__ import annotations

from msgspec import Struct

from anvil_gen.catalog.target import GroupWords
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.inventory.schema import Inventory
from anvil_gen.resolve.options import HostOptions
from anvil_gen.values import KeyPath


class Link(Struct, frozen=True, kw_only=True):
    """A host's own end of the link of a group."""

    address: str
    interface: str
    hcas: tuple[str, ...] = ()
    gid_index: int | None = None


class Member(Struct, frozen=True, kw_only=True):
    """A host of a group."""

    host: str
    link: Link
    options: HostOptions
    inventory: Inventory
    lock: Lock

    @property
    def texts(self) -> list[str]:
        """What the trees of the other hosts follow from."""
        own = (self.options.platform, self.options.architecture, self.options.gpu_request)
        return [self.host, str(self.link), *own, str(self.inventory.gpus), *self.lock.texts]


class Rank(Struct, frozen=True, kw_only=True):
    """A host's part in a group."""

    group: str
    number: int
    members: tuple[Member, ...]  # by rank
    link_name: str
    link_port: int | None  # None for the engine's usual one
    executor: str  # empty for the engine's usual one
    table: str  # the group's tier as it is written, in one spelling
    head_only: str  # what of that only the head is told
    gpus: tuple[tuple[str, ...] | int | str, ...] = ()  # of each rank, as a tier has them
    words: GroupWords | None = None  # how a target's ranks find each other; None for the addresses of the link

    @property
    def own(self) -> Member:
        """This host."""
        return self.members[self.number]

    @property
    def is_head(self) -> bool:
        """Whether this host answers requests."""
        return self.number == 0

    @property
    def has_rdma(self) -> bool:
        """Whether the ranks speak to each other by RDMA adapters."""
        return bool(self.own.link.hcas) and self.words is None

    @property
    def path(self) -> KeyPath:
        """Where a message finds the group's own keys."""
        return ("groups", self.group)


class TierRank(Struct, frozen=True, kw_only=True):
    """What is to be known of a tier that is one rank of a group."""

    group: str
    number: int
    hosts: tuple[str, ...]  # by rank, as the fleet names them
    taken_ports: tuple[tuple[int, str], ...]  # on the host's network beside what it publishes, each with its address
    address: str | None  # at which the head's router reaches it; None for its name on the project's network

    @property
    def is_head(self) -> bool:
        """Whether it answers requests."""
        return self.number == 0
