"""Several servers of one tier: who gets a request, and what is lost when one dies."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from free_ports import free_port

from e2e.contract.door import KEY, Door, question, served
from e2e.contract.registry import variant
from e2e.load import Load
from e2e.patience import until

OUT_SECONDS = 2
"""How soon a server that has died gets no request."""
RETRIED_MS = 9000
"""What a request may take that is sent to another server, with a machine that is busy: after ten seconds without a sign
of life a server would be given up in any case."""


@variant
def replicas(door: Door) -> None:
    """One of two dies under load: what was not sent to it is answered by the other one, and it comes back."""
    with_replicas(door)
    before = [door.box.engine.inspect(name)["State"]["StartedAt"] for name in names(door)]
    door.box.anvil_gen("restart", "box", "fast")
    after = [door.box.engine.inspect(name)["State"]["StartedAt"] for name in names(door)]
    assert all(one < other for one, other in zip(before, after, strict=True))
    with_replicas(door)
    load = Load(port=door.port, key=KEY, models=(served("fast"),), streams=0)
    began = time.time()
    with load.running():
        time.sleep(2)
        killed = time.time()
        door.box.engine.docker("kill", second(door))
        died = time.time()
        time.sleep(4)
        again = time.time()
        door.box.engine.docker("start", second(door))
        # It gets requests again.
        until(lambda: any(at(line) > again and line["server"] == "fast-2" for line in logged(door)))
    # Those before are from asking until both were there again.
    lines = [line for line in logged(door) if at(line) >= began]

    # What the dead one had been given when it died is lost, and nothing else: all that was under way then.
    lost = [line for line in lines if line["status"] != 200]
    assert all(why.startswith("http/1.1 502 ") for why in load.failed), load.failed
    assert {(line["server"], line["status"]) for line in lost} <= {("fast-2", 502)}
    assert all(at(line) + line["total_ms"] / 1000 > killed - 1 and at(line) < died + 1 for line in lost)
    assert max(line["total_ms"] for line in lines) < RETRIED_MS
    spread = Counter(line["server"] for line in lines if -2 < at(line) - killed < -0.5)
    assert set(spread) == {"fast", "fast-2"}
    assert min(spread.values()) > sum(spread.values()) / 10
    assert {line["server"] for line in lines if died + OUT_SECONDS < at(line) < again} == {"fast"}
    if "fallbacks" in door.kind.supports:
        fallbacks_of_replicas(door)


@variant
def sticky(door: Door) -> None:
    """Requests of one session reach one server, those of many reach both, and a session outlives its server."""
    with_replicas(door, sticky="x-session-id")
    sessions = [f"session-{number}" for number in range(20)]
    first = servers_of(door, sessions)
    assert set(first) == {"fast", "fast-2"}
    assert servers_of(door, sessions) == first
    assert set(servers_of(door, [None] * 4)) == {"fast", "fast-2"}

    door.box.engine.docker("kill", second(door))
    assert set(servers_of(door, sessions)) == {"fast"}
    door.box.engine.docker("start", second(door))
    until(lambda: servers_of(door, sessions), lambda found: found == first)


def fallbacks_of_replicas(door: Door) -> None:
    """Another tier answers where both servers have as many requests as they take, and where both are down."""
    door.inventory["router"]["timeout"] = "1m"
    with_replicas(door, "heavy", concurrency=1)
    with ThreadPoolExecutor(3) as pool:  # all of them are there before the first is answered
        replies = pool.map(lambda _: door.chat(served("heavy"), how={"first": 8}).json["tier"], range(3))
        assert sorted(replies) == ["fast-model", "heavy-model", "heavy-model"]
    for name in names(door, "heavy"):
        door.box.engine.docker("kill", name)
    assert {door.chat(served("heavy")).json["tier"] for _ in range(4)} == {"fast-model"}


def with_replicas(door: Door, name: str = "fast", **wishes: Any) -> None:
    """Make two servers of a tier, which listen on one port in their containers."""
    tier = door.inventory["tiers"][name]
    if "replicas" not in tier:
        tier |= {"replicas": 2, "container_port": tier["port"], "port": free_port(following=1)}
    door.inventory["router"]["tiers"] = {name: wishes} if wishes else {}
    door.up()
    until(lambda: set(servers_of(door, [None] * 8, name)), lambda found: found == {name, f"{name}-2"})


def names(door: Door, tier: str = "fast") -> tuple[str, str]:
    """Return the names of both containers."""
    return door.box.name(tier), f"{door.box.name(tier)}-2"


def second(door: Door) -> str:
    return names(door)[1]


def servers_of(door: Door, sessions: Sequence[str | None], tier: str = "fast") -> list[str]:
    """Ask once in each session, and return the servers that the router chose."""
    servers = {door.box.engine.inspect(name)["Config"]["Hostname"]: name for name in names(door, tier)}
    found = []
    for session in sessions:
        headers = {"x-session-id": session} if session else {}
        reply = door.ask("/v1/chat/completions", question(served(tier)), headers=headers)
        assert reply.status == 200, reply.text
        found.append(servers[reply.json["container"]].removeprefix(door.box.name("")))
    return found


def logged(door: Door, tier: str = "fast") -> list[dict[str, Any]]:
    """Return the router's log of the tier's requests."""
    printed = door.box.engine.docker("logs", door.box.name("router"))
    return [line for line in map(json.loads, re.findall("(?m)^{.*", printed)) if line["tier"] == tier]


def at(line: dict[str, Any]) -> float:
    """Return when a request came."""
    return datetime.fromisoformat(line["time"]).timestamp()
