"""Clients without a key that fill the default router: who has one gets through all the same."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from e2e.conftest import new_box
from e2e.contract.door import Door
from e2e.engine import Engine

CONNECTIONS, STREAMS = 4200, 100
# Half a request on each connection, and another one where it is closed.
FLOOD = """
import selectors, socket, sys, time
end, held, open_ones = time.monotonic() + 40, selectors.DefaultSelector(), 0
while time.monotonic() < end:
    while open_ones < int(sys.argv[3]):
        one = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
        one.sendall(b"POST /v1/chat/completions HTTP/1.1\\r\\n")
        held.register(one, selectors.EVENT_READ)
        open_ones += 1
    print(open_ones, flush=True)
    for key, _ in held.select(0.5):
        held.unregister(key.fileobj)
        key.fileobj.close()
        open_ones -= 1
    time.sleep(0.2)
"""


def test_they_do_not_keep_out_who_has_a_key(engine: Engine, tmp_path: Path) -> None:
    with new_box(engine, tmp_path) as box:
        door = Door(box, "haproxy")
        door.up()
        flood = ("python3", "-c", FLOOD, door.inventory["router"]["container_name"], str(door.port), str(CONNECTIONS))
        command = ["docker", "exec", box.name("fast"), *flood]
        attack = subprocess.Popen(command, env=engine.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert attack.stdout is not None
        assert attack.stdout.readline()  # all are open
        time.sleep(1)
        with ThreadPoolExecutor(STREAMS) as pool:
            streams = pool.map(lambda _: len(list(door.stream("heavy", {"chunks": 10, "delay": 0.1}))), range(STREAMS))
            counts = list(streams)
        assert attack.poll() is None
        attack.kill()

    assert counts == [max(counts)] * STREAMS
    assert max(counts) >= 10
