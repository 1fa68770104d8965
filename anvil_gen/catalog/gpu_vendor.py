"""What is known of a maker of cards, from ``templates/gpus/<name>/gpu.toml``."""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from anvil_gen.inventory.fields import Platform
from anvil_gen.inventory.struct_errors import struct_errors
from anvil_gen.values import KeyPath

GPU_GROUPS = ("uuid", "name", "memory_mib", "compute_capability", "driver")
"""What a pattern of `ProgramListing` may have as groups."""


class ProgramListing(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A program that lists the machine's cards, one a line; ``pattern`` finds in a line the groups of `GPU_GROUPS`."""

    command: tuple[str, ...]
    pattern: str


class DeviceListing(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Folders of the kernel's, one a card, with a small file for each fact; those where a file has the wanted text.

    ``folders`` is a glob below ``/``. ``uuid`` is a file whose text goes into ``uuid_form``; a card without it is
    called by its number, counted from 0.
    """

    folders: str
    where: Mapping[str, str] = {}
    uuid: str = ""
    uuid_form: str = "{uuid}"
    name: str = ""
    memory_bytes: str = ""


class Runtime(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What lets a container have cards: any one of ``runtimes`` (as Docker lists them), or of ``programs``.

    Where neither is named: all of ``devices``. ``install`` says what to do where that is missing, by platform.
    """

    title: str
    runtimes: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    install: Mapping[Platform, str]


class PinProbe(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A command that lists, inside a container, the cards that it sees: each match of ``pattern`` is a card's UUID."""

    command: tuple[str, ...]
    pattern: str
    environment: Mapping[str, str] = {}


class Vendor(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A maker of cards. ``{uuids}`` is the comma-separated list."""

    title: str
    uuid_pattern: str
    uuid_help: str
    environment: Mapping[str, str] = {}
    platforms: Mapping[str, Mapping[str, str]] = {}
    """Platform -> further environment."""
    unsupported: Mapping[str, str] = {}
    """Platform -> why a container there does not see the card by these means alone."""
    listing: tuple[ProgramListing, ...] = ()
    """All are asked; what an earlier one says of a card is kept."""
    devices: DeviceListing | None = None
    driver: Mapping[Platform, str] = {}
    """Platform -> what to do where no card is listed."""
    runtime: Runtime | None = None
    probe: PinProbe | None = None


def semantic_errors(data: Vendor) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is of the right form in a vendor's data, and means nothing."""
    yield from _no_pattern(("uuid_pattern",), data.uuid_pattern)
    for at, listing in enumerate(data.listing):
        yield from _no_pattern(("listing", at, "pattern"), listing.pattern, groups=GPU_GROUPS)
    if data.probe is not None:
        yield from _no_pattern(("probe", "pattern"), data.probe.pattern, groups=("uuid",))
    for key, table in (("platforms", data.platforms), ("unsupported", data.unsupported)):
        for platform in table:
            yield from struct_errors(platform, Platform, (key, platform))


def _no_pattern(path: KeyPath, pattern: str, groups: tuple[str, ...] = ()) -> Iterator[tuple[KeyPath, str]]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        yield path, f"it is no regular expression: {error}"
        return
    if groups and "uuid" not in compiled.groupindex:
        yield path, "it has no group (?P<uuid>...)"
    for name in compiled.groupindex.keys() - set(groups):
        yield path, f'"{name}" is no group that is read: {", ".join(groups)}'
