"""Ports for what a test listens on."""

from __future__ import annotations

import itertools
import os
import random
import socket

# Below the range that Linux takes the ports of outgoing connections from: until a test's program listens, nothing else
# takes the port by chance. Below 30000 too, where the example inventories begin.
_FIRST, _END = 10000, 30000
# Each process of pytest-xdist takes from a part of its own: what one was given, another finds free until it is used.
_COUNT = (_END - _FIRST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_OWN = _FIRST + _COUNT * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_NUMBERS = itertools.cycle(range(_OWN, _OWN + _COUNT))
next(itertools.islice(_NUMBERS, random.randrange(_COUNT), None))


def free_port(following: int = 0) -> int:
    """Return a port of the loopback that nothing listens on, another one each time.

    Args:
        following: how many ports right after it are free and left to the caller too.

    """
    while True:
        ports = list(itertools.islice(_NUMBERS, following + 1))
        if ports[-1] - ports[0] == following and all(map(_is_free, ports)):
            return ports[0]


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
