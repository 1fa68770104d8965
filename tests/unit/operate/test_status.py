"""What runs against what should, as far as no real engine is needed to tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_engine import container, engine, having, subject

from anvil_gen.operate.status import Row, status_of

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[tiers.fast]
engine = "vllm"
port = {port}
model = {{ path = "gpt-oss-20b" }}
[router]
kind = "haproxy"
port = {router}
"""


def rows(folder: Path, answers: dict[str, str], *, port: int = 1, router: int = 2) -> dict[str, Row]:
    """Return the rows of a host by service; ports 1 and 2 are free."""
    host = subject(folder, INVENTORY.format(port=port, router=router), answers)
    return {row.service: row for row in status_of(host.deployment, None).rows}


def drifts(row: Row) -> list[tuple[str, str]]:
    """Return the kinds of a row's drift, and what mends them."""
    return [(drift.kind, drift.remedy) for drift in row.drift]


def test_nothing_runs(tmp_path: Path) -> None:
    found = rows(tmp_path, engine())

    assert {service: (row.state, row.drift) for service, row in found.items()} == {
        "fast": ("absent", ()),
        "router": ("absent", ()),
    }


@pytest.mark.parametrize("service", ["fast", "router"])
def test_a_port_that_a_container_has(service: str, held: int, tmp_path: Path) -> None:
    ports: dict[str, Any] = {"port" if service == "fast" else "router": held}
    other = container("other", port=held)
    found = rows(tmp_path, {**having(other), "ps --all": ""}, **ports)

    assert drifts(found.pop(service)) == [("port", "docker stop other")]
    assert [row.drift for row in found.values()] == [()]


@pytest.mark.parametrize(("state", "kinds"), [("exited", ["port"]), ("restarting", [])])
def test_a_port_of_a_container_that_comes_back_by_itself(
    state: str, kinds: list[str], held: int, tmp_path: Path
) -> None:
    fast = container("fast", project="box", service="fast", port=held) | {"State": {"Status": state}}
    found = rows(tmp_path, {**having(fast), "ps --filter": ""}, port=held)["fast"]

    assert [drift.kind for drift in found.drift if drift.kind == "port"] == kinds


@pytest.mark.parametrize(("service", "name"), [("fast", "fast"), ("router", "box-router")])
def test_a_name_that_a_container_has(service: str, name: str, tmp_path: Path) -> None:
    answers = {**engine(container_inspect=json.dumps([container(name)])), "ps --all": ""}
    found = rows(tmp_path, answers)

    assert drifts(found[service]) == [("foreign", f"docker rm --force {name} && anvil-gen up box {service}")]


@pytest.mark.parametrize(
    ("state", "is_told"), [("running", False), ("restarting", False), ("exited", True), ("created", True), ("", True)]
)
def test_a_router_that_nothing_reloads(state: str, is_told: bool, tmp_path: Path) -> None:
    reloader = container("box-router-reload", project="box", service="router-reload") | {"State": {"Status": state}}
    containers = [container("box-router", project="box", service="router"), *([reloader] if state else [])]
    found = rows(tmp_path, having(*containers))["router"]

    told = [drift.remedy for drift in found.drift if "router-reload does not run" in drift.detail]
    assert told == (["anvil-gen up box router"] if is_told else [])
