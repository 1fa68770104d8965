"""Load on a router: short requests at a pace, half of them over connections that stay open, and streams."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct, field

from e2e.patience import SECONDS, until

STREAM = {"chunks": 20, "delay": 0.1}


class Load(Struct):
    """What is sent, and what came of it."""

    port: int
    key: str
    models: tuple[str, ...]
    further_keys: tuple[str, ...] = ()
    """Of other clients, whose requests are among them."""
    rate: int = 200
    streams: int = 50
    answered: int = 0
    whole: int = 0
    failed: list[str] = field(default_factory=list)
    longest_gap: float = 0
    """Seconds between two answers, at most."""
    under_way: set[object] = field(default_factory=set)
    """One for each request that is not answered yet."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send until the block ends; what is under way then is finished."""
        stop, began = threading.Event(), threading.Event()
        # A thread that is started here is in the engine's network, as this one is.
        thread = threading.Thread(target=lambda: asyncio.run(self._all(stop, began)))
        thread.start()
        began.wait()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def let_finish(self) -> None:
        """Wait until all has ended that is under way now; what is sent meanwhile does not count."""
        before = set(self.under_way)
        until(lambda: not before & self.under_way)

    async def _all(self, stop: threading.Event, began: threading.Event) -> None:
        self._last = time.monotonic()
        senders = max(self.rate // 10, 1)
        tasks = [asyncio.create_task(self._short(stop, number, 0.1)) for number in range(senders)]
        tasks += [asyncio.create_task(self._stream(stop, number)) for number in range(self.streams)]
        began.set()
        await asyncio.gather(*tasks)

    async def _short(self, stop: threading.Event, number: int, pause: float) -> None:
        """Send short requests; every other sender keeps its connection."""
        await asyncio.sleep(pause * number / 20)
        connection = self._connection(number)
        while not stop.is_set():
            began = time.monotonic()
            model = self.models[number % len(self.models)]
            body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            why = await self._post(connection, body, keep=number % 2)
            self._note(why)
            await asyncio.sleep(max(0, began + pause - time.monotonic()))
        connection.close()

    async def _stream(self, stop: threading.Event, number: int) -> None:
        connection = self._connection(number)
        content = json.dumps(STREAM)
        while not stop.is_set():
            body = {"model": self.models[number % len(self.models)], "messages": [{"content": content}], "stream": True}
            why = await self._post(connection, body, whole=b"data: [DONE]")
            if why:
                self.failed.append(f"stream: {why}")
            else:
                self.whole += 1

    async def _post(self, connection: _Connection, body: Any, *, keep: int = 0, whole: bytes = b"") -> str:
        this = object()
        self.under_way.add(this)
        try:
            return await connection.post(body, keep, whole=whole)
        finally:
            self.under_way.remove(this)

    def _connection(self, number: int) -> _Connection:
        keys = (self.key, *self.further_keys)
        return _Connection(self.port, keys[number % len(keys)])

    def _note(self, why: str) -> None:
        now = time.monotonic()
        if why:
            self.failed.append(why)
            return
        self.answered += 1
        self.longest_gap = max(self.longest_gap, now - self._last)
        self._last = now

    _last: float = 0


class _Connection:
    """A client's connection, which is opened when it is needed."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: Any, keep: int, *, whole: bytes = b"") -> str:
        """Send a chat request; return what went wrong."""
        try:
            return await asyncio.wait_for(self._post(json.dumps(body).encode(), bool(keep), whole), SECONDS)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            self.close()
            return f"{type(error).__name__}: {error}"

    async def _post(self, body: bytes, keep: bool, whole: bytes) -> str:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        ending = "keep-alive" if keep else "close"
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: {ending}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = answer.partition("content-length: ")[2].partition("\r")[0]
        text = await (reader.readexactly(int(length)) if length else reader.read(-1))
        if not keep or "connection: close" in answer or not length:
            self.close()
        if not answer.startswith("http/1.1 200 "):
            return answer.partition("\r")[0] + f": {text[:200]!r}"
        return "" if whole in text else f"cut after {len(text)} bytes"

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
