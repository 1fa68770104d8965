"""Where a service listens beyond loopback: its ports before and after, and what is new."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.review.exposure import new_listeners

CASES: dict[str, tuple[Any, Any, list[str]]] = {
    "loopback": ([], ["127.0.0.1:1:1", "[::1]:2:2"], []),
    "every address": ([], ["8000:8000"], ["0.0.0.0:8000"]),
    "the same, otherwise written": (["0.0.0.0:8000:8000"], ["8000:8000"], []),
    "an address": (["127.0.0.1:1:1"], ["192.168.0.1:1:1"], ["192.168.0.1:1"]),
    "IPv6": ([], ["[::]:1:1"], ["[::]:1"]),
    "a port that Docker chooses": ([], ["8000"], ["0.0.0.0:a port that Docker chooses"]),
    "a variable": ([], ["${BIND:-0.0.0.0}:${PORT:-8000}:8000"], ["0.0.0.0:8000"]),
    "a variable on loopback": ([], ["${BIND:-127.0.0.1}:8000:8000"], []),
    "the long form": ([], [{"target": 1, "published": "9", "host_ip": "10.0.0.1"}], ["10.0.0.1:9"]),
    "a port more": (["1:1"], ["1:1", "2:2/udp"], ["0.0.0.0:2"]),
    "one that goes": (["1:1"], [], []),
}


@pytest.mark.parametrize("name", CASES)
def test_new_listeners(name: str) -> None:
    before, after, expected = CASES[name]

    assert new_listeners({"ports": before}, {"ports": after}) == expected


def test_the_network_of_the_host_is_beyond_loopback() -> None:
    assert new_listeners({}, {"network_mode": "host"}) == ["all ports of the host's network"]
