"""GPUs, and how a service asks for them."""

from __future__ import annotations

from msgspec import Struct

from anvil_gen.resolve.options import GpuCount
from anvil_gen.values import Text, as_text


class Gpu(Struct, frozen=True, kw_only=True):
    """A GPU. Memory in MiB; None where the inventory does not set it."""

    name: str
    uuid: str | None
    index: int | None = None  # on the host, where there is no UUID
    vendor: str
    memory_mib: int | None
    reserve_mib: int
    compute_capability: str | None

    @property
    def device_id(self) -> str:
        """What Docker is told of it: its UUID, else its index."""
        return as_text(self.index if self.uuid is None else self.uuid)


class GpuRequest(Struct, frozen=True, kw_only=True):
    """The GPUs that a model server asks for, all of one vendor: by name, or a count of the host's."""

    vendor: str
    gpus: tuple[Gpu, ...] = ()
    count: GpuCount | None = None  # None where they are named

    @property
    def number(self) -> int | None:
        """How many they are; None for all of the host's, whatever their number."""
        return len(self.gpus) if self.count is None else None if self.count == "all" else self.count

    def may_hold(self, gpu: Gpu) -> bool:
        """Tell whether a GPU is among them, or may be, since nothing says which they are."""
        if self.count is None:
            return gpu in self.gpus
        is_beyond = isinstance(self.count, int) and gpu.index is not None and gpu.index >= self.count
        return gpu.vendor == self.vendor and not is_beyond

    @property
    def has_uuids(self) -> bool:
        """Whether each is named by its UUID."""
        return bool(self.gpus) and all(gpu.uuid is not None for gpu in self.gpus)

    @property
    def words(self) -> tuple[str, ...]:
        """How a person calls them: each by its name, or all together."""
        if self.count is None:
            return tuple(gpu.name for gpu in self.gpus)
        return (self.count if isinstance(self.count, str) else f"first {self.count}",)


class Reservation(Struct, frozen=True, kw_only=True):
    """The GPUs of one service, all of one vendor, as Compose is told them.

    By a reservation with ``driver``, or by ``runtime``; with neither, the vendor's template passes the devices on. They
    are ``device_ids``, or a ``count`` of them.
    """

    vendor: str
    driver: str
    runtime: str
    device_ids: tuple[Text, ...]
    count: GpuCount | None
