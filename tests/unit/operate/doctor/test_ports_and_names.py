"""Ports and container names that are taken, and by whom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fake_engine import container, engine, having, subject, told

from anvil_gen.machine.ports import port_state
from anvil_gen.operate.doctor.ports_and_names import check_names, check_ports

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[tiers.fast]
engine = "vllm"
port = {port}
bind = "{bind}"
model = {{ path = "gpt-oss-20b" }}
"""


OTHER_MODE = """
[tiers.night]
engine = "vllm"
container_name = "fast"
port = 30002
standby = true
model = { path = "gpt-oss-20b" }
[modes.late]
tiers = ["night"]
"""


def test_a_name_that_another_mode_has_is_free_when_modes_are_switched(tmp_path: Path) -> None:
    there = having(container("fast", project="box", service="night"))

    assert told(check_names(subject(tmp_path, text() + OTHER_MODE, there))) == [
        ("warn", "name of fast", "container name is taken")
    ]


def text(port: int = 30001, bind: str = "127.0.0.1") -> str:
    """Return the inventory with a port and an address."""
    return INVENTORY.format(port=port, bind=bind)


@pytest.mark.parametrize(
    ("there", "outcome"),
    [
        ([], ("pass", "name of fast", "fast is free")),
        ([container("fast", project="box", service="fast")], ("pass", "name of fast", "fast is its own")),
        ([container("fast", project="box", service="other")], ("fail", "name of fast", "container name is taken")),
        ([container("fast", project="old", service="fast")], ("fail", "name of fast", "container name is taken")),
        ([container("fast")], ("fail", "name of fast", "container name is taken")),
    ],
)
def test_names(there: list[Any], outcome: tuple[str, str, str], tmp_path: Path) -> None:
    assert told(check_names(subject(tmp_path, text(), having(*there)))) == [outcome]


def test_how_a_name_is_taken_over(tmp_path: Path) -> None:
    (check,) = check_names(subject(tmp_path, text(), having(container("fast"))))

    assert check.diagnostic is not None
    assert "created without Compose (image:1, running)" in check.diagnostic.detail
    assert check.diagnostic.remedy.endswith("\n    docker rm --force fast\n    anvil-gen up box fast")
    assert check.diagnostic.address == "tiers.fast.container_name"


@pytest.mark.parametrize(
    ("there", "outcome"),
    [
        ([], "127.0.0.1:30001 is free"),
        ([container("fast", project="box", service="fast", port=30001)], "127.0.0.1:30001 is its own"),
        ([container("old", port=30001)], "port is taken"),
        ([container("old", port=30001, host="0.0.0.0")], "port is taken"),
        ([container("old", port=30001, host="127.0.0.9")], "127.0.0.1:30001 is free"),
        ([container("old", port=30002)], "127.0.0.1:30001 is free"),
    ],
)
def test_ports_of_containers(there: list[Any], outcome: str, tmp_path: Path) -> None:
    assert [found for _, _, found in told(check_ports(subject(tmp_path, text(), having(*there))))] == [outcome]


def test_a_port_of_another_mode(tmp_path: Path) -> None:
    other = container("coder", project="box", service="coder", port=30001)
    (check,) = check_ports(subject(tmp_path, text(), having(other)))

    assert check.verdict == "warn"
    assert check.diagnostic is not None
    assert check.diagnostic.remedy.endswith("\n    anvil-gen up box --mode default")


def test_a_port_of_a_process(held: int, tmp_path: Path) -> None:
    (check,) = check_ports(subject(tmp_path, text(held), engine(), root=Path("/"), port_state=port_state))

    assert check.diagnostic is not None
    assert (check.diagnostic.summary, check.diagnostic.address) == ("port is taken", "tiers.fast.port")
    assert f"(process {os.getpid()})" in check.diagnostic.detail
    assert check.diagnostic.remedy.endswith(f"\n    kill {os.getpid()}")


def test_a_port_of_its_own_container_that_docker_restarts(held: int, tmp_path: Path) -> None:
    own = container("fast", project="box", service="fast", port=held) | {"State": {"Status": "restarting"}}
    restarting = subject(tmp_path, text(held), engine(), port_state=port_state)
    restarting.containers = subject(tmp_path / "own", text(held), having(own)).containers

    assert told(check_ports(restarting)) == [("pass", "port of fast", f"127.0.0.1:{held} is its own")]


def test_a_port_of_a_process_of_somebody_else(held: int, tmp_path: Path) -> None:
    (check,) = check_ports(subject(tmp_path, text(held), port_state=port_state))

    assert check.diagnostic is not None
    assert check.diagnostic.remedy.endswith(f"\n    sudo ss -ltnp 'sport = :{held}'")


def test_an_address_that_the_machine_lacks(tmp_path: Path) -> None:
    (check,) = check_ports(subject(tmp_path, text(bind="192.0.2.7"), engine(), port_state=port_state))

    assert check.diagnostic is not None
    assert (check.diagnostic.summary, check.diagnostic.address) == ("no such address", "tiers.fast.bind")


def test_ports_of_another_machine(held: int, tmp_path: Path) -> None:
    far = subject(tmp_path, text(held), engine(), at="ssh://me@box", port_state=port_state)

    assert [verdict for verdict, _, _ in told(check_ports(far))] == ["pass"]
