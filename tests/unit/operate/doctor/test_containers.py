"""What of a service's own container keeps it from being started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_engine import container, engine, having, subject, told

from anvil_gen.operate.doctor.containers import check_external_networks, check_networks, check_paused

INVENTORY = """schema = 1
[tiers.fast]
engine = "custom"
image = "image:1"
port = 30001
"""


def made(state: str, project: str = "box", *, network: str = "") -> Any:
    """Return a container of the service, in a state and on a network."""
    networks = {"box_default": {"NetworkID": network}, "host": {"NetworkID": ""}} if network else {}
    one = container("fast", project=project, service="fast")
    return {**one, "State": {"Status": state}, "NetworkSettings": {"Networks": networks}}


@pytest.mark.parametrize(
    ("project", "state", "paused"), [("box", "paused", 1), ("box", "running", 0), ("x", "paused", 0)]
)
def test_a_paused_container(project: str, state: str, paused: int, tmp_path: Path) -> None:
    found = list(check_paused(subject(tmp_path, INVENTORY, having(made(state, project)))))

    assert [check.diagnostic.summary for check in found if check.diagnostic] == ["container is paused"] * paused
    assert all(check.diagnostic.remedy.endswith("\n    docker unpause fast") for check in found if check.diagnostic)


@pytest.mark.parametrize(
    ("one", "gone"),
    [
        (made("exited", network="old"), ["box_default"]),
        (made("exited", network="new"), []),
        (made("running", network="old"), []),
        (made("exited"), []),
        (made("exited", "x", network="old"), []),
    ],
)
def test_a_network_that_has_gone(one: Any, gone: list[str], tmp_path: Path) -> None:
    answers = {**having(one), "network ls": "new\nother\n"}
    found = [check.diagnostic for check in check_networks(subject(tmp_path, INVENTORY, answers)) if check.diagnostic]

    assert [diagnostic.detail.split()[0] for diagnostic in found] == gone
    assert all(
        diagnostic.remedy.endswith("\n    anvil-gen down box fast\n    anvil-gen up box fast") for diagnostic in found
    )


EDGE = "networks = ['default', 'edge']\n[networks.edge]\nexternal = true\nname = 'site-edge'\n"


def test_an_external_network_is_there(tmp_path: Path) -> None:
    text = INVENTORY + EDGE
    there = subject(tmp_path, text, engine(network_ls="bridge\nsite-edge\n"))
    assert told(check_external_networks(there)) == [("pass", "network site-edge", "exists")]

    (check,) = check_external_networks(subject(tmp_path, text, engine(network_ls="bridge\nedge\n")))
    assert check.diagnostic is not None
    assert check.diagnostic.summary == "missing external network"
    assert check.diagnostic.detail.startswith("the network site-edge, which fast is on")
    assert check.diagnostic.remedy.endswith("\n    docker network create site-edge")
    assert told(check_external_networks(subject(tmp_path, INVENTORY, engine(network_ls="")))) == []
    assert told(check_external_networks(subject(tmp_path, text))) == []


def test_networks_that_are_not_told(tmp_path: Path) -> None:
    assert list(check_networks(subject(tmp_path, INVENTORY, having(made("exited", network="old"))))) == []
