"""Which services an `up` is about to create or recreate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fake_engine import subject
from inspected import inspected
from msgspec.structs import replace

from anvil_gen.operate.preflight import changing_services, router_outage

INVENTORY = """schema = 1
[tiers.one]
engine = "custom"
image = "x:1"
port = 1
[router]
kind = "haproxy"
"""
HASHES = {"one": "1", "router": "2", "router-reload": "3"}


@pytest.mark.parametrize(
    ("changed", "named", "expected"),
    [
        ({}, (), []),
        ({"one": {"config_hash": "0"}}, (), ["one"]),
        ({"one": {"image_moved": True}}, (), ["one"]),
        ({"one": {"state": "exited"}}, (), []),  # it is started as it is
        ({"one": {"state": "created"}}, (), ["one"]),  # an earlier `up` failed before it
        ({"router": {"config_hash": "0"}}, (), ["router"]),
        ({"router": {"config_hash": "0"}}, ("one",), []),
        ({"router-reload": {"config_hash": "0"}}, (), []),  # it always differs
        ({"one": None}, (), ["one"]),
        ({"router-reload": None}, ("router", "router-reload"), ["router-reload"]),
    ],
)
def test_what_compose_would_change(
    changed: dict[str, Any], named: tuple[str, ...], expected: list[str], tmp_path: Path
) -> None:
    mode = subject(tmp_path, INVENTORY).deployment.mode(None)
    before = {
        service: replace(inspected(), **{"config_hash": config_hash, **(changed.get(service) or {})})
        for service, config_hash in HASHES.items()
        if changed.get(service, {}) is not None
    }

    assert changing_services(mode, named, before, HASHES) == expected


@pytest.mark.parametrize(
    ("kind", "changing", "state", "expected"),
    [
        ("haproxy", ["router"], "running", "a reload cannot change all that differs: .* are cut after 3s"),
        ("litellm", ["router"], "running", "this kind cannot reload: .* are cut after 30s"),
        ("haproxy", ["one", "router-reload"], "running", ""),
        ("haproxy", ["router"], "exited", ""),  # nobody misses it
        ("haproxy", ["router"], None, ""),
    ],
)
def test_an_outage_of_the_router_is_told_beforehand(
    kind: str, changing: list[str], state: str | None, expected: str, tmp_path: Path
) -> None:
    mode = subject(tmp_path, INVENTORY.replace("haproxy", kind)).deployment.mode(None)
    before = {} if state is None else {"router": replace(inspected(), state=state)}
    found = router_outage(mode, changing, before)

    assert (found is not None) == (expected != "")
    assert found is None or re.search(expected, found.detail)
