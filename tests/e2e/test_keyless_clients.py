"""Clients without a key that fill the default router: who has one gets through all the same."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from e2e.conftest import new_box
from e2e.contract.door import Door, served
from e2e.engine import Engine

FROM = ("fast", "embed", "judge")
CONNECTIONS, STREAMS = 2500, 100
WAIT = 9  # after ten seconds the router gives up half a request, and others have their turn
# Half a request on each connection, and another one where it is closed.
FLOOD = """
import resource, selectors, socket, sys, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
end, held = time.monotonic() + 60, selectors.DefaultSelector()
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
        began = time.monotonic()
        with ThreadPoolExecutor(STREAMS) as pool:
            streams = pool.map(
                lambda _: len(list(door.stream(served("heavy"), {"chunks": 10, "delay": 0.1}))), range(STREAMS)
            )
            counts = list(streams)
        seconds = time.monotonic() - began
        assert [attack.poll() for attack in attacks] == [None] * len(attacks)
        for attack in attacks:
            attack.kill()
            attack.wait()

    assert counts == [max(counts)] * STREAMS
    assert max(counts) >= 10
    assert seconds < WAIT
