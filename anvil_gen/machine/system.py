"""A machine as a whole: its platform, its memory, its disks and its GPUs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from anvil_gen.inventory.fields import Platform
from anvil_gen.machine.gpus import DetectedGpu, GpuListing, list_gpus
from anvil_gen.machine.subprocesses import Run, run_program

if TYPE_CHECKING:
    from anvil_gen.catalog.catalog import Catalog


class Machine(Struct, frozen=True, kw_only=True):
    """What a machine has; None where that is not known."""

    platform: Platform | None
    memory_mib: int | None
    listings: tuple[GpuListing, ...]

    @property
    def gpus(self) -> tuple[DetectedGpu, ...]:
        """The GPUs of all vendors."""
        return tuple(gpu for listing in self.listings for gpu in listing.gpus)


def inspect_machine(
    catalog: Catalog, *, run: Run = run_program, root: Path = Path("/"), system: str = sys.platform
) -> Machine:
    """Return what a machine has: its programs run by ``run``, its kernel's files below ``root``."""
    vendors = ((name, catalog.vendor(name)) for name in catalog.names("gpus"))
    return Machine(
        platform=platform_of_machine(root=root, system=system),
        memory_mib=memory_mib(root=root),
        listings=tuple(list_gpus(name, data, run=run, root=root) for name, data in vendors if data is not None),
    )


def platform_of(kernel: str) -> Platform:
    """Return the platform of a Linux kernel, by its release, as ``uname -r`` and ``docker info`` report it."""
    return "wsl2" if "wsl2" in kernel.lower() else "linux"


def platform_of_machine(*, root: Path = Path("/"), system: str = sys.platform) -> Platform | None:
    """Return the platform that containers of a machine run on; None where it is neither Linux nor Windows."""
    if system == "win32":  # Docker Desktop runs them in WSL2
        return "wsl2"
    if system != "linux":
        return None
    try:
        return platform_of((root / "proc/sys/kernel/osrelease").read_text("utf-8"))
    except OSError:
        return "linux"


def memory_mib(*, root: Path = Path("/")) -> int | None:
    """Return a machine's main memory in MiB."""
    try:
        text = (root / "proc/meminfo").read_text("utf-8")
    except OSError:
        return None
    found = [line.split() for line in text.splitlines() if line.startswith("MemTotal:")]
    return int(found[0][1]) // 1024 if found else None


def free_gib(path: Path) -> float | None:
    """Return the free space of the disk that a path is or will be on; None where that is not known."""
    existing = _existing(path)
    try:
        return shutil.disk_usage(existing).free / (1 << 30) if existing is not None else None
    except OSError:
        return None


def device_of(path: Path) -> int | None:
    """Return the kernel's number of the disk that a path is or will be on; None where that is not known."""
    existing = _existing(path)
    try:
        return existing.stat().st_dev if existing is not None else None
    except OSError:
        return None


def _existing(path: Path) -> Path | None:
    return next((folder for folder in (path, *path.parents) if os.path.exists(folder)), None)  # noqa: PTH110  never raises
