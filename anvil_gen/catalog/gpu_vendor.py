"""What is known of a vendor of GPUs, from ``templates/gpus/<name>/gpu.toml``."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from msgspec import Meta, Struct

from anvil_gen.catalog.metrics import Exporter
from anvil_gen.inventory.fields import Platform
from anvil_gen.inventory.gpu_fields import GpuRequest
from anvil_gen.inventory.struct_errors import struct_errors
from anvil_gen.values import KeyPath

GPU_GROUPS = ("uuid", "name", "memory_mib", "compute_capability", "driver")
"""What a pattern of `ProgramListing` may have as groups."""


class ProgramListing(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A program that lists the host's GPUs, one a line. All are asked; what an earlier one says of a GPU is kept."""

    command: Annotated[tuple[str, ...], Meta(description="The program and its arguments.")]
    pattern: Annotated[
        str,
        Meta(
            description="Finds a GPU in a line, with the groups `uuid`, `name`, `memory_mib`, `compute_capability` "
            "and `driver`."
        ),
    ]


class DeviceListing(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Folders of the kernel, one a GPU, with a small file for each fact."""

    folders: Annotated[str, Meta(description="Glob below `/`.")]
    where: Annotated[
        Mapping[str, str], Meta(description="File -> the text that it must have for the folder to be a GPU's.")
    ] = {}
    uuid: Annotated[
        str, Meta(description="File whose text goes into `uuid_form`; a GPU without it is numbered, from 0.")
    ] = ""
    uuid_form: Annotated[str, Meta(description="The UUID by that text, `{uuid}`.")] = "{uuid}"
    name: Annotated[str, Meta(description="File with the GPU's name.")] = ""
    memory_bytes: Annotated[str, Meta(description="File with the size of its memory, in bytes.")] = ""


class Runtime(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What lets a container have GPUs: any of `runtimes`, `programs` or `cdi`; with none of these, all `devices`."""

    title: Annotated[str, Meta(description="Its name for people.")]
    runtimes: Annotated[tuple[str, ...], Meta(description="Runtimes as Docker lists them.")] = ()
    programs: Annotated[tuple[str, ...], Meta(description="Programs on the host.")] = ()
    cdi: Annotated[str, Meta(description="Kind of the devices that Docker finds in CDI specifications.")] = ""
    devices: Annotated[tuple[str, ...], Meta(description="Device files of the host.")] = ()
    install: Annotated[Mapping[Platform, str], Meta(description="Platform -> what to do without it.")]


class GpuForm(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One of the ways in which a container asks for GPUs, by the inventory's `host.gpu_request`."""

    driver: Annotated[str, Meta(description="Driver of Compose's reservation; without one, there is none.")] = ""
    runtime: Annotated[str, Meta(description="Compose's `runtime`.")] = ""
    uuid_prefix: Annotated[
        str,
        Meta(description="What a `uuid` has to begin with, as a regular expression, where not all of them will do."),
    ] = ""
    device_id: Annotated[
        str, Meta(description="How a reservation names a GPU; `{id}` is its UUID, or its index where it has none.")
    ] = "{id}"
    counts: Annotated[
        bool,
        Meta(description="The reservation takes a number or `all`; otherwise a number is the GPUs from index 0 on."),
    ] = False
    all: Annotated[str, Meta(description="What takes the place of an id for all GPUs; without it, none is pinned.")] = (
        ""
    )
    environment: Annotated[Mapping[str, str], Meta(description="Environment variables, as those of the vendor.")] = {}
    needs: Annotated[Runtime, Meta(description="What lets a container have GPUs in this way.")] | None = None


class Claim(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How a cluster's claim selects a GPU by its UUID."""

    classes: Annotated[Mapping[str, str], Meta(description="What a UUID begins with -> the class of the device.")]
    uuid: Annotated[str, Meta(description="What the device's UUID is in a selector of CEL.")]
    resource: Annotated[str, Meta(description="What the vendor's device plugin calls its GPUs.")]


class PinProbe(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A command that lists, inside a container, the GPUs that it sees."""

    command: Annotated[tuple[str, ...], Meta(description="The program and its arguments.")]
    pattern: Annotated[str, Meta(description="Finds a GPU in what it prints, with the group `uuid`.")]
    environment: Annotated[Mapping[str, str], Meta(description="Environment variables that it needs.")] = {}


class Vendor(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A vendor of GPUs."""

    title: Annotated[str, Meta(description="Its name for people.")]
    uuid_pattern: Annotated[str, Meta(description="Form of a GPU's `uuid` in an inventory, as a regular expression.")]
    integrated: Annotated[
        str, Meta(description="Found in the names of GPUs that share the machine's memory, as a regular expression.")
    ] = ""
    uuid_help: Annotated[str, Meta(description="Where a person finds it, with an example.")]
    environment: Annotated[
        Mapping[str, str],
        Meta(
            description="Environment variables that pin the GPUs. `{uuids}` is the list of UUIDs, with commas, and "
            "`{ids}` has the index of a GPU without one; where there is no such list, the variable is left out."
        ),
    ] = {}
    requests: Annotated[
        Mapping[GpuRequest, GpuForm],
        Meta(description="The ways in which a container can ask for its GPUs, for the template `reservation.yml.j2`."),
    ]
    index_moves: Annotated[
        str, Meta(description="Why an index may mean another GPU one day; empty where there is nothing better.")
    ] = ""
    platforms: Annotated[
        Mapping[str, Mapping[str, str]], Meta(description="Platform -> further environment variables.")
    ] = {}
    unsupported: Annotated[
        Mapping[str, str], Meta(description="Platform -> why a container there does not see the GPU by these means.")
    ] = {}
    listing: Annotated[tuple[ProgramListing, ...], Meta(description="Programs that list the host's GPUs.")] = ()
    usage: (
        Annotated[ProgramListing, Meta(description="What tells the memory that is used, as `memory_mib`.")] | None
    ) = None
    devices: DeviceListing | None = None
    driver: Annotated[Mapping[Platform, str], Meta(description="Platform -> what to do where no GPU is listed.")] = {}
    runtime: Runtime | None = None
    probe: PinProbe | None = None
    exporter: Exporter | None = None
    claim: Claim | None = None


def semantic_errors(data: Vendor) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is of the right form in a vendor's data, and means nothing."""
    yield from _no_pattern(("uuid_pattern",), data.uuid_pattern)
    for at, listing in enumerate(data.listing):
        yield from _no_pattern(("listing", at, "pattern"), listing.pattern, groups=GPU_GROUPS)
    if data.usage is not None:
        yield from _no_pattern(("usage", "pattern"), data.usage.pattern, groups=GPU_GROUPS)
    if data.probe is not None:
        yield from _no_pattern(("probe", "pattern"), data.probe.pattern, groups=("uuid",))
    for at, label in enumerate(data.exporter.labels if data.exporter is not None else ()):
        yield from _no_pattern(("exporter", "labels", at, "form"), label.form)
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
