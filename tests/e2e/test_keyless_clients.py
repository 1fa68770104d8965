"""Clients without a key that fill the default router: who has one gets through all the same."""

from __future__ import annotations

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.conftest import new_box
from e2e.contract.door import Door, served
from e2e.engine import Engine
from e2e.patience import least

FROM = ("fast", "embed", "judge")
CONNECTIONS, STREAMS = 2500, 100
# After ten seconds the router gives up half a request, and others have their turn; where all of the connections are
# taken, each request waits some seconds for one. A busy machine gets several tries.
WAIT, TRIES = 9, 4
ONE_BY_ONE, QUARTILE = 9, 1.0
MOST_MIB = 150  # each body alone, if it were kept, would be 1 MB
# A body of one megabyte on each connection, of a request that goes on after it.
BODIES = """
import resource, socket, sys, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
head = b"POST /v1/chat/completions HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 30000000\\r\\n\\r\\n"
held = []
for _ in range(int(sys.argv[3])):
    one = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=120)
    held.append(one)
    try:
        one.sendall(head + b"x" * 1_000_000)
    except OSError:  # it is answered before the body has gone
        pass
print(len(held), flush=True)
time.sleep(900)
"""
# Half a request on each connection, and another one where it is closed.
FLOOD = """
import resource, selectors, socket, sys, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
end, held = time.monotonic() + 900, selectors.DefaultSelector()
while time.monotonic() < end:
    for _ in range(int(sys.argv[3]) - len(held.get_map())):
        one = socket.socket()
        one.settimeout(5)
        try:
            one.connect((sys.argv[1], int(sys.argv[2])))
            one.sendall(b"POST /v1/chat/completions HTTP/1.1\\r\\n")
            held.register(one, selectors.EVENT_READ)
        except OSError:
            one.close()
    print(len(held.get_map()), flush=True)
    for key, _ in held.select(0.1):
        held.unregister(key.fileobj)
        key.fileobj.close()
"""


def test_they_do_not_keep_out_who_has_a_key(engine: Engine, tmp_path: Path) -> None:
    with new_box(engine, tmp_path) as box:
        door = Door(box, "haproxy")
        door.up()
        flood = ("python3", "-c", FLOOD, door.inventory["router"]["container_name"], str(door.port), str(CONNECTIONS))
        attacks = [
            subprocess.Popen(["docker", "exec", box.name(tier), *flood], env=engine.environment, stdout=subprocess.PIPE)
            for tier in FROM
        ]
        for attack in attacks:
            assert attack.stdout is not None
            assert int(attack.stdout.readline()) > STREAMS  # the first wave is there
        wait = least(lambda: quartile_of_waits(door), QUARTILE, tries=TRIES)
        seconds = least(lambda: seconds_of_streams(door), WAIT, tries=TRIES)
        assert [attack.poll() for attack in attacks] == [None] * len(attacks)
        for attack in attacks:
            attack.kill()
            attack.wait()

    assert seconds < WAIT
    assert wait < QUARTILE


def seconds_of_streams(door: Door) -> float:
    """Return how long many streams at once take, of which each is whole."""
    began = time.monotonic()
    with ThreadPoolExecutor(STREAMS) as pool:
        streams = pool.map(
            lambda _: len(list(door.stream(served("heavy"), {"chunks": 10, "delay": 0.1}))), range(STREAMS)
        )
        counts = list(streams)
    assert counts == [max(counts)] * STREAMS
    assert max(counts) >= 10
    return time.monotonic() - began


def quartile_of_waits(door: Door) -> float:
    """Return the seconds within which a quarter of the answers comes, one by one."""
    return sorted(seconds_of_one(door) for _ in range(ONE_BY_ONE))[ONE_BY_ONE // 4]


def seconds_of_one(door: Door) -> float:
    """Return how long a short answer takes for who has a key."""
    began = time.monotonic()
    list(door.stream(served("heavy"), {"chunks": 2, "delay": 0.01}))
    return time.monotonic() - began


def memory_mib(engine: Engine, container: str) -> float:
    """Return what a container's processes hold, without what the kernel caches of files."""
    text = engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container).split(" ")[0]
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]


@pytest.mark.parametrize("connections", [25, 1500])
def test_large_bodies_without_a_key_are_not_kept(engine: Engine, tmp_path: Path, connections: int) -> None:
    with new_box(engine, tmp_path) as box:
        door = Door(box, "haproxy")
        door.up()
        router = door.inventory["router"]["container_name"]
        before = memory_mib(engine, router)
        each = str(-(-connections // len(FROM)))
        attacks = [
            subprocess.Popen(
                ["docker", "exec", box.name(tier), "python3", "-c", BODIES, router, str(door.port), each],
                env=engine.environment,
                stdout=subprocess.PIPE,
            )
            for tier in FROM
        ]
        held = [int(attack.stdout.readline()) for attack in attacks if attack.stdout is not None]
        used = memory_mib(engine, router) - before
        with ThreadPoolExecutor(STREAMS) as pool:
            streams = pool.map(lambda _: len(list(door.stream(served("heavy"), {"chunks": 2}))), range(STREAMS))
            counts = list(streams)
        for attack in attacks:
            attack.kill()
            attack.wait()

    assert sum(held) >= connections
    assert used < MOST_MIB, used
    assert counts == [max(counts)] * STREAMS
