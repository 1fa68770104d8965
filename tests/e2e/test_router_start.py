"""A router that has just started: healthy when it has found its tiers, and soon where one of them does not run."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from e2e.box import Box
from e2e.contract.door import KEY, Door, served
from e2e.patience import least

STARTS = 3
DNS_SECONDS = 0.4
"""How long a busy Docker takes to tell an address; HAProxy asks again after half a second."""
# Starts the router again and again, and asks it from the moment on at which its health check passes.
SCRIPT = r"""
ask() {
  { printf '%s' "$2" >&3 && read -r _ status _ <&3; } 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" && [ "$status" = 200 ]
}
sed 's/127.0.0.11:53/NAMESERVER/' /etc/router/haproxy.cfg >/dev/shm/haproxy.cfg
body='{"model": "MODEL", "messages": []}'
request=$'POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer KEY\r\nContent-Type: application/json\r\n'
request+="Content-Length: ${#body}"$'\r\n\r\n'"$body"
for _ in {1..STARTS}; do
  haproxy -W -db -f /dev/shm/haproxy.cfg >/dev/null 2>&1 &
  began=${EPOCHREALTIME/./}
  until ask 64002 $'GET /health HTTP/1.0\r\n\r\n'; do sleep 0.01; done
  healthy=${EPOCHREALTIME/./}
  ask PORT "$request"
  echo "$status $(((healthy - began) / 1000))"
  kill %1
  wait
done
"""


@pytest.fixture
def door(box: Box) -> Door:
    """Bring up two tiers behind a router."""
    made = Door(box, "haproxy")
    made.inventory["tiers"] = {name: made.inventory["tiers"][name] for name in ("heavy", "fast")}
    table = made.inventory["router"]
    made.inventory["router"] = {key: table[key] for key in ("kind", "container_name", "port", "override")}
    made.inventory["router"]["api_key_env"] = "CONTRACT_KEY"
    made.up()
    return made


def test_a_healthy_router_has_found_its_tiers(door: Door) -> None:
    assert [status for status, _ in starts(door, "heavy", "fast")] == [200] * STARTS


def test_a_tier_that_does_not_run_is_waited_for_three_seconds(door: Door) -> None:
    """The other one is asked meanwhile."""

    def longest() -> float:
        found = starts(door, "heavy")
        assert [status for status, _ in found] == [200] * STARTS
        return max(seconds for _, seconds in found)

    assert least(longest, 4) < 4


def starts(door: Door, *running: str) -> list[tuple[int, float]]:
    """Return the status of the first answer of the first tier after each start, and how long the router took before."""
    networks = {name: door.box.container(name)["NetworkSettings"]["Networks"] for name in running}
    addresses = {name: network["IPAddress"] for name, found in networks.items() for network in found.values()}
    ((gateway, *_), *_) = [[network["Gateway"] for network in found.values()] for found in networks.values()]
    with slow_nameserver(gateway, addresses) as port:
        values = {"NAMESERVER": f"{gateway}:{port}", "MODEL": served(running[0]), "KEY": KEY}
        script = SCRIPT
        for name, value in {**values, "STARTS": str(STARTS), "PORT": str(door.port)}.items():
            script = script.replace(name, value)
        run = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "bash", "router", "-c", script)
        printed = door.box.compose(*run).stdout
    return [(int(status), int(taken) / 1000) for status, taken in map(str.split, printed.splitlines())]


@contextmanager
def slow_nameserver(host: str, addresses: Mapping[str, str]) -> Iterator[int]:
    """Answer the names that there are, later than a quiet Docker does."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, socket_ = self.request
            time.sleep(DNS_SECONDS)
            socket_.sendto(dns_answer(query, addresses), self.client_address)

    with socketserver.ThreadingUDPServer((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def dns_answer(query: bytes, addresses: Mapping[str, str]) -> bytes:
    """Return the address of a name that has one label, for a second; or that there is no such name."""
    end = query.index(b"\0", 12)
    address = addresses.get(query[13:end].decode())
    question = query[12 : end + 5]
    if address is None:
        return query[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + question
    record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + ip_address(address).packed
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + record
