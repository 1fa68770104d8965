"""The GPUs of a machine, listed as the data of their vendors describes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.catalog.gpu_vendor import DeviceListing, ProgramListing, Vendor
from anvil_gen.machine.subprocesses import Answer, Run, run_program
from anvil_gen.text.units import MIB


class DetectedGpu(Struct, frozen=True, kw_only=True):
    """One GPU. ``index`` is its position in the vendor's listing, from 0.

    ``uuid`` is what pins it: the index as text where the vendor has no other identifier. ``memory_mib`` is None where
    none is reported, as for memory that is shared with the CPU; a text that is not reported is empty.
    """

    vendor: str
    uuid: str
    index: int
    name: str = ""
    memory_mib: int | None = None
    compute_capability: str = ""
    driver: str = ""
    is_integrated: bool = False
    """Whether it is known to share the machine's memory."""


class GpuListing(Struct, frozen=True, kw_only=True):
    """The GPUs of one vendor; ``diagnostic`` is why there are none, if something failed."""

    vendor: str
    gpus: tuple[DetectedGpu, ...] = ()
    diagnostic: str = ""

    def find(self, uuid: str) -> DetectedGpu | None:
        """Return the GPU that is pinned by a UUID or an index; None where there is none."""
        folded = uuid.casefold()
        return next((gpu for gpu in self.gpus if folded in (gpu.uuid.casefold(), str(gpu.index))), None)


def list_gpus(vendor: str, data: Vendor, *, run: Run = run_program, root: Path = Path("/")) -> GpuListing:
    """Return the GPUs of a vendor: by its programs, run by ``run``, and by the kernel's folders below ``root``."""
    found: dict[str, DetectedGpu] = {}
    diagnostics = []
    for listing in data.listing:
        answer = run(listing.command)
        for place, gpu in enumerate(_parse(vendor, listing, answer)):
            found.setdefault(gpu.uuid.casefold() or f"#{place}", gpu)
        if answer.code != 0:
            diagnostics.append(_diagnostic(listing, answer))
            if answer.code is None:  # the next one would wait as long
                break
    if data.devices is not None:
        for gpu in _devices(vendor, data.devices, root):
            found.setdefault(gpu.uuid.casefold(), gpu)
    return GpuListing(
        vendor=vendor,
        gpus=_numbered(found, data),
        diagnostic=diagnostics[0] if diagnostics and not found else "",
    )


def used_mib(data: Vendor, *, run: Run = run_program) -> dict[str, int]:
    """Return the memory that is used of each of a vendor's GPUs, by its UUID in small letters."""
    if data.usage is None:
        return {}
    found = _parse("", data.usage, run(data.usage.command))
    return {gpu.uuid.casefold(): gpu.memory_mib for gpu in found if gpu.memory_mib is not None}


def _numbered(found: dict[str, DetectedGpu], data: Vendor) -> tuple[DetectedGpu, ...]:
    """Return GPUs with their indexes, which also pin those that have no UUID of the vendor's form."""
    from msgspec.structs import replace  # noqa: PLC0415

    return tuple(
        replace(
            gpu,
            index=index,
            uuid=gpu.uuid if re.fullmatch(data.uuid_pattern, gpu.uuid) else str(index),
            is_integrated=bool(data.integrated and re.search(data.integrated, gpu.name)),
        )
        for index, gpu in enumerate(found.values())
    )


def _parse(vendor: str, listing: ProgramListing, answer: Answer) -> Iterator[DetectedGpu]:
    pattern = re.compile(listing.pattern)
    for line in answer.stdout.splitlines():
        match = pattern.match(line)
        if match is not None:
            fields = {name: (text or "").strip() for name, text in match.groupdict().items()}
            memory = fields.pop("memory_mib", "")
            number = int(memory) if memory.isascii() and memory.isdecimal() else None
            said = {name: text for name, text in fields.items() if not text.startswith("[")}  # [N/A], [Not Supported]
            known: dict[str, Any] = {"uuid": "", **said}
            yield DetectedGpu(vendor=vendor, index=0, memory_mib=number or None, **known)


def _diagnostic(listing: ProgramListing, answer: Answer) -> str:
    lines = [line.strip() for line in (answer.stderr or answer.stdout).splitlines() if line.strip()]
    return f"`{listing.command[0]}`: {lines[0] if lines else f'exit code {answer.code}'}"


def _devices(vendor: str, listing: DeviceListing, root: Path) -> Iterator[DetectedGpu]:
    """Yield the GPUs that the kernel lists, in the order of their addresses on the bus."""
    folders = {folder.resolve() for folder in root.glob(listing.folders)}
    matching = [
        folder
        for folder in sorted(folders)
        if all(_text(folder, file) == expected for file, expected in listing.where.items())
    ]
    for index, folder in enumerate(matching):
        uuid, memory = _text(folder, listing.uuid), _text(folder, listing.memory_bytes)
        yield DetectedGpu(
            vendor=vendor,
            # GPUs without an identifier of their own report 0.
            uuid=listing.uuid_form.replace("{uuid}", uuid) if uuid.strip("0") else str(index),
            index=index,
            name=_text(folder, listing.name),
            memory_mib=int(memory) // MIB if memory.isdecimal() else None,
        )


def _text(folder: Path, file: str) -> str:
    if not file:
        return ""
    try:
        return (folder / file).read_text("utf-8", errors="replace").strip()
    except OSError:  # not every GPU has every file
        return ""
