"""What a machine has, as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.cards import Card as Pretended
from fake_machine import LINUX_KERNEL, WSL2_KERNEL, kernel, no_programs, nvidia

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.machine.system import Machine, free_gib, inspect_machine, platform_of, platform_of_machine


@pytest.mark.parametrize(
    ("release", "platform"),
    [(LINUX_KERNEL, "linux"), (WSL2_KERNEL, "wsl2"), ("4.4.0-19041-Microsoft", "linux"), ("", "linux")],
)
def test_a_platform_is_told_by_the_kernel(release: str, platform: str) -> None:
    assert platform_of(release) == platform


@pytest.mark.parametrize(("system", "platform"), [("win32", "wsl2"), ("darwin", None), ("linux", "linux")])
def test_a_platform_is_told_by_the_system(system: str, platform: str | None, tmp_path: Path) -> None:
    assert platform_of_machine(root=tmp_path, system=system) == platform


def test_a_machine_as_a_whole(tmp_path: Path) -> None:
    card = Pretended("GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1", "NVIDIA RTX 5090", 32607)
    files = {"proc/sys/kernel/osrelease": WSL2_KERNEL, "proc/meminfo": "MemTotal:  65536000 kB\nMemFree: 1 kB\n"}
    machine = inspect_machine(Catalog(), run=nvidia(card), root=kernel(tmp_path, files), system="linux")

    assert (machine.platform, machine.memory_mib) == ("wsl2", 64000)
    assert [(one.vendor, one.name, one.memory_mib) for one in machine.gpus] == [("nvidia", "NVIDIA RTX 5090", 32607)]


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    machine = inspect_machine(Catalog(), run=no_programs, root=tmp_path, system="linux")

    assert machine == Machine(platform="linux", memory_mib=None, listings=machine.listings)
    assert machine.gpus == ()


def test_the_space_for_what_is_not_there_yet(tmp_path: Path) -> None:
    free = free_gib(tmp_path / "not" / "yet")

    assert free is not None
    assert free == pytest.approx(free_gib(tmp_path), rel=0.1)
