"""Ports of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from anvil_gen.machine.ports import Holder, describe_holder, free_port, holder_of, is_taken, port_state


def test_a_port_that_is_held(held: int) -> None:
    assert is_taken("127.0.0.1", held)
    assert is_taken("0.0.0.0", held)
    assert not is_taken("127.0.0.2", held)


def test_an_address_that_this_machine_lacks(held: int) -> None:
    assert port_state("192.0.2.7", held) == "no such address"


def test_the_next_free_port() -> None:
    assert free_port(30000, taken=lambda _, port: port < 30003) == 30003
    assert free_port(65535, taken=lambda _, port: True) is None


def test_who_holds_a_port(held: int) -> None:
    name = Path("/proc/self/comm").read_text("utf-8").strip()

    assert holder_of(held) == Holder(pid=os.getpid(), name=name)


def test_how_it_is_ended_or_found(held: int, tmp_path: Path) -> None:
    process, command = describe_holder(held)
    assert (process.endswith(f"(process {os.getpid()})"), command) == (True, f"kill {os.getpid()}")

    unseen = [describe_holder(80, proc=tmp_path, system=system) for system in ("linux", "win32")]
    assert unseen == [
        ("a process on this host", "sudo ss -ltnp 'sport = :80'"),
        ("a process on this host", "netstat -ano | findstr :80"),
    ]


def test_a_kernel_that_does_not_tell(tmp_path: Path) -> None:
    assert holder_of(1, proc=tmp_path) is None
