"""Sealed tiers on a real engine: the router reaches them, and they reach nobody."""

from __future__ import annotations

import pytest
from running import Result

from anvil_gen.catalog.catalog import Catalog
from e2e.box import Box
from e2e.test_router_changes import demo, spoken


@pytest.mark.parametrize("router", Catalog().names("routers"))
def test_a_sealed_tier_answers_through_the_router_alone(box: Box, router: str) -> None:
    inventory = demo(box, router)
    inventory["host"]["egress"] = "deny"
    box.render(inventory)
    box.compose("up", "--detach", "--wait")

    assert spoken(box, "chat")
    tier = box.container("small")
    assert list(tier["NetworkSettings"]["Networks"]) == [f"{box.project}_internal"]
    assert not tier["NetworkSettings"]["Ports"]
    networks = box.container("router")["NetworkSettings"]["Networks"]
    outside = networks[f"{box.project}_default"]["IPAddress"]
    assert is_reached(box, "router")
    assert not reaches(box, outside)
    machine = box.engine.docker("network", "inspect", f"{box.project}_internal", "--format", GATEWAY).strip()
    assert machine
    assert "refused" not in opened(box, machine).stderr, "the machine itself answers"


GATEWAY = "{{(index .IPAM.Config 0).Gateway}}"


def reaches(box: Box, address: str) -> bool:
    """Tell whether the tier can open a connection to the router's port at an address."""
    return opened(box, address).code == 0


def is_reached(box: Box, address: str) -> bool:
    """Tell the same of an address that answers, however busy the machine is."""
    return opened(box, address, seconds=60).code == 0


def opened(box: Box, address: str, *, seconds: int = 3) -> Result:
    """Let the tier open a connection to the router's port at an address."""
    connect = f"timeout {seconds} bash -c 'exec 3<>/dev/tcp/{address}/{box.port('router')}'"
    return box.engine.run("docker", "exec", box.name("small"), "sh", "-c", connect, check=False)
