"""The link of a group: what the host has of it, and whether the other hosts answer there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_engine import FakeDocker
from fake_machine import kernel
from group_fleets import write_pair
from msgspec.structs import replace

from anvil_gen.machine.subprocesses import Answer
from anvil_gen.operate.deployment import open_deployment
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.links import check_links

NET, ADAPTERS = "sys/class/net/enp1s0f0np0/mtu", "sys/class/infiniband"
WELL = {NET: "9000\n", f"{ADAPTERS}/rocep1s0f0/x": "", f"{ADAPTERS}/roceP2p1s0f0/x": ""}
HAS = "5: enp1s0f0np0    inet 192.168.100.10/24 brd 192.168.100.255 scope global enp1s0f0np0"


def checked(folder: Path, files: dict[str, str], *, addresses: str = HAS, largest: int = 9000) -> list[tuple[str, str]]:
    """Check a pair whose first host has these files and addresses, and whose link takes packets up to a size."""
    write_pair(folder)
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> Answer:
        asked.append(command)
        if command[0] == "ip":
            return Answer(code=0, stdout=addresses)
        size = int(command[command.index("-s") + 1]) + 28 if "-s" in command else 84
        return Answer(code=0 if command[-1] == "192.168.100.11" and size <= largest else 1)

    deployment = open_deployment(str(folder / "hosts/spark-a.toml"), folder)
    deployment.project = replace(deployment.project, docker=FakeDocker({}))
    root = kernel(folder / "root", files)
    context = DoctorContext(deployment, deployment.mode(None), run=run, root=root, shell={})
    return [
        (one.verdict, one.found if one.diagnostic is None else one.diagnostic.detail) for one in check_links(context)
    ]


def test_a_link_that_works(tmp_path: Path) -> None:
    assert checked(tmp_path, WELL) == [
        ("pass", "192.168.100.10 on enp1s0f0np0, rocep1s0f0 and roceP2p1s0f0"),
        ("pass", "192.168.100.11 answers, with 9000 bytes"),
    ]


@pytest.mark.parametrize(
    ("files", "addresses", "largest", "expected"),
    [
        ({"sys/class/net/eth0/mtu": "1500\n"}, HAS, 9000, "there is no interface enp1s0f0np0 (there: eth0)"),
        (WELL, HAS.replace("100.10/", "100.100/"), 9000, "enp1s0f0np0 does not have 192.168.100.10"),
        (
            {NET: "9000\n", f"{ADAPTERS}/rocep1s0f0/x": ""},
            HAS,
            9000,
            "there is no adapter roceP2p1s0f0 (there: rocep1s0f0)",
        ),
        (WELL, HAS, 0, "spark-b does not answer at 192.168.100.11"),
        (WELL, HAS, 1500, "packets of 9000 bytes, the MTU of enp1s0f0np0, do not come through to spark-b"),
    ],
    ids=["interface", "address", "adapter", "silent", "MTU"],
)
def test_what_is_wrong_with_a_link(
    tmp_path: Path, files: dict[str, str], addresses: str, largest: int, expected: str
) -> None:
    found = [one for one in checked(tmp_path, files, addresses=addresses, largest=largest) if one[0] == "fail"]

    assert found == [("fail", expected)]
