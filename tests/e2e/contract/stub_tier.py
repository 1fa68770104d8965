"""A strict tier: it answers to its own names alone, keeps what it was sent, and does what a request's text asks for.

`stub_tier.py PORT NAME...` serves on all addresses. The last message's content may be JSON that says how to answer:
`{"chunks": 3, "delay": 0.1, "first": 0.5, "reasoning": true, "tools": true}`. `/_seen` has the requests since it
was asked last, and `/_kept` the same without forgetting them; `/_mode` takes another way to behave: "ok", "503",
"break" (it closes the connection), "hang".
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import sys
import time
from typing import Any

KEPT_BYTES = 4096
SEEN: list[dict[str, Any]] = []
MODE = {"mode": "ok"}
NAMES: tuple[str, ...] = ()


async def main(port: int) -> None:
    """Serve until the process ends."""
    server = await asyncio.start_server(serve, "0.0.0.0", port, limit=1 << 26, backlog=1024)
    await server.serve_forever()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while await one(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request, and tell whether another one may follow."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = [line.split(": ", 1) if ": " in line else line.split(":", 1) for line in head[1:] if line]
    named = {name.lower(): value for name, value in headers}
    if named.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await body_of(reader, named)
    if path.startswith("/_"):
        return await control(writer, path, body)
    if named.get("upgrade", "").lower() == "websocket":
        return await echo(reader, writer, named)
    if method == "GET":
        return await get(writer, path)
    seen = {"method": method, "path": path, "headers": headers, "length": len(body), "left": False}
    seen["body"] = base64.b64encode(body if len(body) <= KEPT_BYTES else body[:64] + body[-64:]).decode()
    SEEN.append(seen)
    del SEEN[:-500]
    if named.get("content-type", "").startswith("multipart/form-data") and MODE["mode"] == "ok":
        return await answer(writer, 200, {"text": NAMES[0]})
    return await post(reader, writer, path, body)


async def body_of(reader: asyncio.StreamReader, named: dict[str, str]) -> bytes:
    """Read a body, by its length or in chunks."""
    if "chunked" not in named.get("transfer-encoding", ""):
        return await reader.readexactly(int(named.get("content-length", "0")))
    body = bytearray()
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return bytes(body)


async def control(writer: asyncio.StreamWriter, path: str, body: bytes) -> bool:
    """Answer the test that drives this stub."""
    if path == "/_mode":
        MODE.update(json.loads(body))
    seen = list(SEEN)
    if path == "/_seen":
        SEEN.clear()
    return await answer(writer, 200, {"seen": seen, **MODE})


async def get(writer: asyncio.StreamWriter, path: str) -> bool:
    if path == "/v1/models":
        return await answer(
            writer, 200, {"object": "list", "data": [{"id": name, "object": "model"} for name in NAMES]}
        )
    if path.startswith("/v1/responses/"):
        return await answer(writer, 200, {**response(NAMES[0]), "path": path})
    return await answer(writer, 200 if path == "/health" else 404, {})


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, named: dict[str, str]) -> bool:
    """Be a WebSocket that says its name, and sends back what it gets, as it comes on the wire."""
    mark = named["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(mark.encode(), usedforsecurity=False).digest()).decode()
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    writer.write(bytes([0x81, len(NAMES[0])]) + NAMES[0].encode())
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    return False


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes) -> bool:
    """Answer a request for a model, as the mode and the request's text want it."""
    mode = MODE["mode"]
    if mode == "break":
        return False
    if mode == "503":
        return await answer(writer, 503, {"error": {"message": "loading"}})
    if mode == "hang":
        await asyncio.sleep(600)
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return await answer(writer, 400, {"error": {"message": "no JSON"}})
    model = asked.get("model", NAMES[0])
    if model not in NAMES:
        return await answer(writer, 404, {"error": {"message": f"{NAMES[0]} has no model {model}"}})
    how = wishes(asked)
    await asyncio.sleep(how.get("first", 0))
    if asked.get("stream"):
        return await stream(reader, writer, how)
    if path.endswith("/speech"):
        return await answer(writer, 200, b"\x00\x01RIFF\xff" + NAMES[0].encode())
    said = response(model) if path.endswith("/responses") else whole(model)
    return await answer(writer, 200, {**said, "mark": how["mark"]} if "mark" in how else said)


def whole(model: str) -> dict[str, Any]:
    """Return an answer that has what clients of each task look for."""
    said = {"role": "assistant", "content": NAMES[0]}
    choices = [{"index": 0, "message": said, "text": NAMES[0], "finish_reason": "stop"}]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    answered = {"id": "x", "object": "chat.completion", "created": 0, "model": model, "choices": choices}
    embedded = {"data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}
    ranked = {"results": [{"index": 0, "relevance_score": 0.5}]}
    return {**answered, **embedded, **ranked, "usage": usage, "tier": NAMES[0], "container": socket.gethostname()}


def response(model: str) -> dict[str, Any]:
    """Return an answer as `/v1/responses` has it."""
    text = {"type": "output_text", "text": NAMES[0], "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text]}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    answered = {"id": "x", "object": "response", "created_at": 0, "status": "completed", "model": model, "error": None}
    options = {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "metadata": {}}
    return {**answered, **options, "output": [message], "usage": usage}


def wishes(asked: Any) -> dict[str, Any]:
    """Return how the request's text wants to be answered."""
    try:
        content = asked["messages"][-1]["content"]
        how = json.loads(content)
        return how if isinstance(how, dict) else {}
    except (KeyError, IndexError, TypeError, ValueError):
        return {}


async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, how: dict[str, Any]) -> bool:
    """Send events one by one; note when the client leaves."""
    seen = SEEN[-1]
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\nX-Stub: " + NAMES[0].encode() + b"\r\n\r\n"
    )
    left = asyncio.create_task(reader.read(1))
    for number in range(how.get("chunks", 3)):
        event(writer, delta(number, how))
        await writer.drain()
        delay = how.get("delay", 0)
        if delay:
            done, _ = await asyncio.wait({left}, timeout=delay)
            if done:
                seen["left"] = time.time()
                return False
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    event(writer, {**HEAD, **finish, "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
    piece(writer, b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    left.cancel()
    return False


HEAD = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m"}


def delta(number: int, how: dict[str, Any]) -> dict[str, Any]:
    """Return one event of a stream."""
    part: dict[str, Any] = {"content": f"{NAMES[0]} {number}", "sent": time.time()}
    if "mark" in how:
        part["mark"] = how["mark"]
    if how.get("reasoning"):
        part["reasoning_content"] = f"thought {number}"
    if how.get("tools"):
        call = {"index": 0, "function": {"arguments": f'"{number}",'}}
        if number == 0:
            call |= {"id": "c", "type": "function", "function": {"name": "f", "arguments": "["}}
        part = {"tool_calls": [call], "sent": time.time()}
    return {**HEAD, "choices": [{"index": 0, "delta": part, "finish_reason": None}]}


def event(writer: asyncio.StreamWriter, data: Any) -> None:
    piece(writer, f"data: {json.dumps(data)}\n\n".encode())


def piece(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


async def answer(writer: asyncio.StreamWriter, status: int, body: Any) -> bool:
    """Send an answer, and tell that another request may follow."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nX-Stub: {NAMES[0]}\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()
    return True


if __name__ == "__main__":
    NAMES = tuple(sys.argv[2:])
    asyncio.run(main(int(sys.argv[1])))
