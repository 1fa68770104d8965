"""Time each router against its tiers asked directly, in one interleaved run: `make routers`.

    PYTHONPATH=tests .venv/bin/python benchmarks/routers.py [--runs N] [ROUTER...]

Every router runs in its container, as it is rendered, in front of two stub tiers: one that does as it is told
(`tests/e2e/contract/stub_tier.py`), and one that answers at once, for requests per second. Containers are reached by
their addresses on the project's network, the router and the tiers alike. Requests per second are counted by Debian's
`wrk`. Prints a table for docs/performance.md, and the machine's load before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from e2e import web
from e2e.conftest import new_box
from e2e.contract.door import KEY, Door, question, served
from e2e.engine import Engine, running_engine

from anvil_gen.catalog.catalog import Catalog

STREAMS = 100
MIB = 1 << 20
QUICK = """defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 1s
frontend quick
    bind *:{port}
    http-request return status 200 content-type application/json string '{{"choices": [], "model": "quick-model"}}'
"""


class Target(NamedTuple):
    """Where requests go: a tier itself, or the router before it."""

    host: str
    port: int


class Times(NamedTuple):
    """Seconds of the same request, to the tier directly and through the router."""

    direct: list[float]
    routed: list[float]

    def added(self, percent: int) -> float:
        """Return what the router adds at a percentile, in milliseconds."""
        return 1000 * (percentile(self.routed, percent) - percentile(self.direct, percent))

    @property
    def ratio(self) -> float:
        """How many times longer it takes through the router, by the medians."""
        return statistics.median(self.routed) / statistics.median(self.direct)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which so many of a hundred lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class Connection:
    """A connection that is kept open, and opened again where the other side has closed it."""

    def __init__(self, target: Target) -> None:
        """Connect when first asked."""
        self.target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: bytes, path: str = "/v1/chat/completions") -> tuple[float, float]:
        """Send a request, and return the seconds to the first byte of the answer's body, and to its end."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self.target, limit=64 * MIB)
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
        began = time.perf_counter()
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        assert " 200 " in answer.split("\r\n")[0], answer
        length = re.search(r"content-length: ([0-9]+)", answer)
        first = await (reader.readexactly(1) if length else reader.readuntil(b"\n\n"))
        came = time.perf_counter()
        if length:
            await reader.readexactly(int(length[1]) - len(first))
        else:
            await reader.readuntil(b"\r\n0\r\n\r\n")
        ended = time.perf_counter()
        if "connection: close" in answer:
            self.close()
        return came - began, ended - began

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def interleaved(direct: Target, routed: Target, body: bytes, runs: int, *, first: bool = False) -> Times:
    """Ask in turn, one request at a time."""
    pairs: list[tuple[Connection, list[float]]] = [(Connection(direct), []), (Connection(routed), [])]
    for number in range(runs + 5):
        for connection, taken in pairs:
            to_first, to_end = await connection.ask(body)
            if number >= 5:
                taken.append(to_first if first else to_end)
    for connection, _ in pairs:
        connection.close()
    return Times(pairs[0][1], pairs[1][1])


async def crowd(target: Target, body: bytes) -> float:
    """Return the seconds that a hundred streams at once take."""
    connections = [Connection(target) for _ in range(STREAMS)]
    began = time.perf_counter()
    await asyncio.gather(*(connection.ask(body) for connection in connections))
    taken = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return taken


async def in_turn(work: Callable[[Target], Awaitable[float]], direct: Target, routed: Target, runs: int) -> Times:
    """Do some work with each target in turn."""
    taken = [(await work(direct), await work(routed)) for _ in range(runs)]
    return Times([one for one, _ in taken], [other for _, other in taken])


def per_second(target: Target, folder: Path) -> float:
    """Return how many requests a second are answered, over 32 connections that are kept open."""
    body = json.dumps(question(served("quick")))
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()]
    script = folder / "question.lua"
    script.write_text("\n".join(['wrk.method = "POST"', f"wrk.body = {json.dumps(body)}", *lines]))
    url = f"http://{target.host}:{target.port}/v1/chat/completions"
    command = ["wrk", "--threads=1", "--connections=32", "--duration=4s", f"--script={script}", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "Non-2xx" not in done.stdout, done.stdout
    return float(re.findall(r"Requests/sec: +([0-9.]+)", done.stdout)[0])


def pss(engine: Engine, name: str) -> float:
    """Return the memory of a container's processes in MiB, what they share counted once."""
    lines = engine.docker("exec", name, "sh", "-c", "cat /proc/[0-9]*/smaps_rollup 2>/dev/null || true").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def start_up(door: Door) -> float:
    """Return the seconds from the start of the container to its first answer."""
    engine, name = door.box.engine, door.box.name("router")
    engine.docker("stop", name)
    began = time.perf_counter()
    engine.docker("start", name)
    while True:
        try:
            if web.ask(door.port, door.kind.health.path).status == 200:
                return time.perf_counter() - began
        except OSError:
            pass
        time.sleep(0.01)


def address(door: Door, what: str) -> Target:
    """Return where a container of the box is reached on the project's network."""
    (network,) = door.box.container(what)["NetworkSettings"]["Networks"].values()
    return Target(network["IPAddress"], door.box.port(what))


def prepared(door: Door) -> None:
    """Leave one tier of the contract's, and add the quick one."""
    box, tiers = door.box, door.inventory["tiers"]
    stub, port = tiers["fast"], box.port("quick")
    quick = {**stub, "image": "haproxy:3.4", "served_name": served("quick"), "container_name": box.name("quick")}
    quick |= {"port": port, "command": ["haproxy", "-db", "-f", "/quick.cfg"], "entrypoint": ["/usr/bin/env"]}
    quick |= {"files": {"/quick.cfg": "quick.cfg"}, "healthcheck": {"test": ["CMD", "true"], "interval": "1s"}}
    quick["command"] = ["haproxy", "-db", "-f", "/quick.cfg"]
    door.inventory["tiers"] = {"fast": stub, "quick": quick}
    keys = ("kind", "container_name", "port", "override")
    door.inventory["router"] = {key: door.inventory["router"][key] for key in keys} | {"api_key_env": "CONTRACT_KEY"}
    hosts = box.folder / "hosts"
    hosts.mkdir(exist_ok=True)
    (hosts / "quick.cfg").write_text(QUICK.format(port=port))


async def measured(door: Door, runs: int) -> dict[str, str]:
    """Return the figures of one router."""
    direct, routed, quick = (address(door, what) for what in ("fast", "router", "quick"))
    short = json.dumps(question(served("fast"))).encode()
    stream = json.dumps(question(served("fast"), {"chunks": 20}, stream=True)).encode()
    paced = json.dumps(question(served("fast"), {"chunks": 20, "delay": 0.05}, stream=True)).encode()
    large = json.dumps(question(served("fast"), note="x" * 2 * MIB)).encode()
    plain = await interleaved(direct, routed, short, runs)
    first = await interleaved(direct, routed, stream, runs // 2, first=True)
    crowds = await in_turn(lambda target: crowd(target, paced), direct, routed, 5)
    big = await interleaved(direct, routed, large, max(runs // 20, 10))
    rates = [(per_second(quick, door.box.folder), per_second(routed, door.box.folder)) for _ in range(3)]
    loaded = pss(door.box.engine, door.box.name("router"))
    direct_rate, routed_rate = (statistics.median(rate) for rate in zip(*rates, strict=True))
    return {
        "added latency p50": f"{plain.added(50):.2f} ms",
        "added latency p99": f"{plain.added(99):.2f} ms",
        "first chunk of a stream, times direct": f"{first.ratio:.2f}",
        "100 streams at once, times direct": f"{crowds.ratio:.2f}",
        "request of 2 MB, times direct": f"{big.ratio:.2f}",
        "requests a second (direct)": f"{routed_rate:,.0f} ({direct_rate:,.0f})",
        "memory after that": f"{loaded:.0f} MB",
        "start to first answer": f"{statistics.median(start_up(door) for _ in range(3)):.2f} s",
        "direct: p50, p99": f"{1000 * percentile(plain.direct, 50):.2f}, {1000 * percentile(plain.direct, 99):.2f} ms",
    }


def figures(engine: Engine, name: str, runs: int, image: str | None) -> dict[str, str]:
    """Bring a router up, and return its figures."""
    with tempfile.TemporaryDirectory() as folder, new_box(engine, Path(folder)) as box:
        door = Door(box, name)
        prepared(door)
        if image:
            door.inventory["router"]["image"] = image
        door.up()
        door.wait_for("fast")
        return asyncio.run(measured(door, runs))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=1000, help="requests for the latency, each way")
    parser.add_argument("--image", help="of the router, instead of its own")
    parser.add_argument("routers", nargs="*", default=Catalog().names("routers"))
    options = parser.parse_args()
    click.echo(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", err=True)
    with running_engine() as engine:
        found: dict[str, Any] = {name: figures(engine, name, options.runs, options.image) for name in options.routers}
    click.echo(f"| | {' | '.join(f'`{name}`' for name in found)} |")
    click.echo(f"| --- |{' --- |' * len(found)}")
    for what in next(iter(found.values())):
        click.echo(f"| {what} | {' | '.join(figure[what] for figure in found.values())} |")
    click.echo(f"load after: {os.getloadavg()[0]:.1f}", err=True)


if __name__ == "__main__":
    main()
