"""Send a router fifty streams at once for half an hour while its tiers die at random: `make soak`.

    PYTHONPATH=tests .venv/bin/python benchmarks/soak.py [--minutes N] [--seed N] [--reload N] [--no-kills] [ROUTER]

Two stub tiers stand in for each other, and one of them at a time is killed and started again. With `--reload`, an alias
comes or goes every so many seconds. Every answer is checked: it has the mark of its own question, all its pieces, in
order, from a tier that serves the name. What is counted:

- whole: as it should be
- broken off: a stream that had begun, and whose tier was killed meanwhile; nobody can give the rest of it
- failed: a 502, since the tier was killed before it answered; HAProxy from 3.4 on asks the other tier instead
- missing: no answer, or an error, though a tier was there
- wrong: somebody else's answer, or pieces that are not its own

Ends with 1 where an answer is missing or wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
from e2e import web
from e2e.conftest import new_box
from e2e.contract.door import KEY, Door, question, served
from e2e.engine import running_engine

STREAMS = 50
TIERS = ("heavy", "fast")
NAMES = {"heavy": (served("heavy"), "coder"), "fast": (served("fast"), "talk")}


class Soak:
    """Counts of answers, and when tiers were down."""

    def __init__(self, door: Door, seconds: float, seed: int) -> None:
        """Last so many seconds."""
        self.door = door
        self.ends = time.monotonic() + seconds
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.told: list[str] = []
        self.kills: list[tuple[float, str]] = []
        self.reloads = 0

    def is_over(self) -> bool:
        """Tell whether it is time to stop."""
        return time.monotonic() > self.ends

    async def client(self, number: int) -> None:
        """Ask one question after the other."""
        asked = 0
        while not self.is_over():
            asked += 1
            mark = f"{number}-{asked}"
            began = time.monotonic()
            verdict, why = await self.one(mark)
            if verdict in ("broken off", "failed") and not self.was_killed(why, began):
                verdict = "missing"
            self.counts[verdict] += 1
            if verdict in ("missing", "wrong"):
                self.told.append(f"{mark}: {verdict}: {why}")

    def was_killed(self, tier: str, began: float) -> bool:
        """Tell whether a tier, or any where none is named, was killed since a moment."""
        killed = {name for moment, name in self.kills if began - 1 < moment < time.monotonic() + 1}
        return tier in killed if tier else bool(killed)

    async def one(self, mark: str) -> tuple[str, str]:
        """Ask a question, and return what became of it: of an answer that broke off, the tier that gave it."""
        tier = self.random.choice(TIERS)
        chunks = self.random.randrange(1, 20)
        how = {"chunks": chunks, "delay": self.random.choice((0, 0.01, 0.1)), "mark": mark}
        streamed = self.random.random() < 0.8
        body = json.dumps(question(self.random.choice(NAMES[tier]), how, stream=streamed)).encode()
        came = b""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port)
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n"
            )
            writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            while data := await asyncio.wait_for(reader.read(65536), 30):
                came += data
            writer.close()
        except (OSError, TimeoutError) as error:
            return ("broken off", answering(came)) if came else ("missing", repr(error))
        return verdict(came, mark, chunks if streamed else 0)

    async def killer(self) -> None:
        """Kill a tier, start it again, and leave both alone until it answers."""
        engine, box = self.door.box.engine, self.door.box
        while not self.is_over():
            await asyncio.sleep(self.random.uniform(1, 6))
            tier = self.random.choice(TIERS)
            self.kills.append((time.monotonic(), tier))
            await asyncio.to_thread(engine.docker, "kill", box.name(tier))
            self.kills.append((time.monotonic(), tier))
            await asyncio.sleep(self.random.uniform(0, 3))
            await asyncio.to_thread(engine.docker, "start", box.name(tier))
            await asyncio.to_thread(web.wait_for, box.port(tier))
            # The other one is not killed before the router has seen this one.
            await asyncio.sleep(3)

    async def reloader(self, seconds: float) -> None:
        """Add an alias and take it away again, a change every so many seconds."""
        aliases = self.door.inventory["router"]["aliases"]
        while not self.is_over():
            await asyncio.sleep(seconds)
            if not aliases.pop("passing", None):
                aliases["passing"] = "fast"
            await asyncio.to_thread(self.door.box.render, self.door.inventory)
            await asyncio.to_thread(self.door.box.compose, "up", "--detach")
            self.reloads += 1

    async def run(self, *, kills: bool, reload_every: float) -> None:
        """Let all of them work until it is over."""
        disturbed = [self.killer()] if kills else []
        if reload_every:
            disturbed.append(self.reloader(reload_every))
        await asyncio.gather(*disturbed, *(self.client(number) for number in range(STREAMS)))


def answering(came: bytes) -> str:
    """Return the tier that an answer is from, or nothing where it does not say so yet."""
    return next((tier for tier in TIERS if served(tier).encode() in came.partition(b"\r\n\r\n")[2]), "")


def verdict(came: bytes, mark: str, chunks: int) -> tuple[str, str]:
    """Return what an answer is, and why it is not whole; ``chunks`` is 0 where it was no stream."""
    head, _, body = came.partition(b"\r\n\r\n")
    first = head.split(b"\r\n")[0].decode("latin-1")
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        named = re.search(rb'"the tier (\w+) broke off"', body)
        return ("failed", named[1].decode()) if named else ("missing", first + body.decode("utf-8", "replace")[:200])
    if not chunks:
        try:
            answer = json.loads(body)
        except ValueError:
            return "broken off", answering(came)
        return ("whole", "") if answer["mark"] == mark else ("wrong", str(answer))
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    if b"0\r\n\r\n" not in body[-5:] or events[-1:] != [b"[DONE]"]:
        return "broken off", answering(came)
    deltas: list[Any] = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]
    marks = {delta["mark"] for delta in deltas if "mark" in delta}
    numbers = [delta["content"].split()[-1] for delta in deltas if "content" in delta]
    tiers = {delta["content"].split()[0] for delta in deltas if "content" in delta}
    whole = marks == {mark} and numbers == [str(number) for number in range(chunks)] and len(tiers) == 1
    return ("whole", "") if whole else ("wrong", f"{marks} {numbers} {tiers}")


def prepared(door: Door) -> None:
    """Leave the two tiers that stand in for each other."""
    tiers, router = door.inventory["tiers"], door.inventory["router"]
    names = [name for tier in TIERS for name in NAMES[tier]]
    for tier in TIERS:
        own = [served(tier), *(name for name in names if name != served(tier))]
        tiers[tier]["command"] = [*tiers[tier]["command"][:4], *own]
    door.inventory["tiers"] = {tier: tiers[tier] for tier in TIERS}
    door.inventory["router"] = {
        **{key: router[key] for key in ("kind", "container_name", "port", "override")},
        "api_key_env": "CONTRACT_KEY",
        "aliases": {"coder": "heavy", "talk": "fast"},
        "fallbacks": {"heavy": ["fast"], "fast": ["heavy"]},
    }


def main() -> int:
    """Soak, and return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reload", type=float, default=0, metavar="SECONDS", help="change the routes so often")
    parser.add_argument("--no-kills", action="store_true", help="leave the tiers alone")
    parser.add_argument("--image", help="of the router, instead of its own")
    parser.add_argument("router", nargs="?", default="haproxy")
    options = parser.parse_args()
    with running_engine() as engine, tempfile.TemporaryDirectory() as folder, new_box(engine, Path(folder)) as box:
        door = Door(box, options.router)
        prepared(door)
        if options.image:
            door.inventory["router"]["image"] = options.image
        door.up()
        for tier in TIERS:
            door.wait_for(tier)
        soak = Soak(door, 60 * options.minutes, options.seed)
        before = box.container("router")["State"]["StartedAt"]
        asyncio.run(soak.run(kills=not options.no_kills, reload_every=options.reload))
        if box.container("router")["State"]["StartedAt"] != before:
            soak.told.append("the router was started again")
    for line in soak.told[:20]:
        click.echo(line)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(soak.counts.items()))
    click.echo(
        f"{options.router}, {options.minutes:g} minutes, {len(soak.kills) // 2} kills, {soak.reloads} reloads: {counts}"
    )
    return 1 if soak.told else 0


if __name__ == "__main__":
    sys.exit(main())
