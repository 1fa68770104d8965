"""Checks of what an OpenAI-compatible gateway has besides its models: methods, cards, browsers, engines' own paths."""

from __future__ import annotations

import socket
from typing import Any

from e2e.contract.door import ADAPTER, CONTEXT_LENGTH, KEY, ORIGIN, TIERS, Door, question, served
from e2e.contract.qualities import form
from e2e.contract.registry import check, last

CHAT = "/v1/chat/completions"
ANSWER_SECONDS = 30
"""As long as a WebSocket is waited for, also where a router has none and says nothing."""
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


@check
def methods(door: Door) -> None:
    listed = door.ask("/v1/models")
    head = door.ask("/v1/models", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(listed.body))
    for method, path, allowed in (("HEAD", CHAT, "POST"), ("GET", CHAT, "POST"), ("POST", "/v1/models", "GET")):
        reply = door.ask(path, {} if method == "POST" else None, method=method)
        assert reply.status == 405, (method, path)
        assert allowed in reply.headers["allow"]
        assert "access-control-allow-origin" not in reply.headers
    options = door.ask(CHAT, method="OPTIONS")
    assert options.status in {200, 204}
    assert "POST" in options.headers["allow"]
    assert not any(door.seen(tier) for tier in TIERS)


@check
def model_card(door: Door) -> None:
    cards = {card["id"]: card for card in door.ask("/v1/models").json["data"]}
    for name, path in (("coder", "coder"), ("org/heavy:q4", "org/heavy:q4"), ("org/heavy:q4", "org%2Fheavy%3Aq4")):
        reply = door.ask(f"/v1/models/{path}")
        assert reply.status == 200
        assert reply.json == cards[name]
    assert door.ask("/v1/models/no-such-model").status == 404
    assert door.ask("/v1/models/coder", key="wrong").status == 401


@check
def max_model_len(door: Door) -> None:
    lengths = {card["id"]: card.get("max_model_len") for card in door.ask("/v1/models").json["data"]}
    assert lengths[served("lens")] == lengths["scholar"] == CONTEXT_LENGTH
    assert lengths[served("fast")] is None


@check
def lora(door: Door) -> None:
    assert ADAPTER in {card["id"] for card in door.ask("/v1/models").json["data"]}
    reply = door.chat(ADAPTER)
    assert (reply.status, reply.json["model"]) == (200, ADAPTER)
    assert reply.json["choices"][0]["message"]["content"] == served("lens")


@check
def response_by_id(door: Door) -> None:
    for query, tier in (("", "lens"), ("?model=scholar", "lens"), ("?model=org%2Fheavy%3Aq4", "heavy")):
        reply = door.ask(f"/v1/responses/resp_1{query}")
        assert reply.status == 200
        assert reply.json["output"][0]["content"][0]["text"] == served(tier)
    assert door.ask("/v1/responses/resp_1?model=no-such-model").status == 404
    assert door.ask("/v1/responses/resp_1/cancel", b"").status == 200
    assert last(door, "lens")["path"] == "/v1/responses/resp_1/cancel"
    for path in ("/v1/responses/..", "/v1/responses/%2e%2e", "/v1/responses/a%2f..", "/v1/responses/a/b"):
        assert door.ask(path).status == 404, path


@check
def realtime(door: Door) -> None:
    for query in ("", "?model=listen"):
        with socket.create_connection(("127.0.0.1", door.port), timeout=ANSWER_SECONDS) as plain:
            plain.sendall(handshake(f"/v1/realtime{query}", KEY))
            name = served("ear").encode()
            said = read_until(plain, name)
            assert said.startswith(b"HTTP/1.1 101 ")
            assert bytes([0x81, len(name)]) + name in said
            frame = bytes([0x81, 0x85, 1, 2, 3, 4]) + bytes(
                b ^ m for b, m in zip(b"hello", [1, 2, 3, 4, 1], strict=True)
            )
            plain.sendall(frame)
            assert read_until(plain, frame).endswith(frame)
    with socket.create_connection(("127.0.0.1", door.port), timeout=ANSWER_SECONDS) as plain:
        plain.sendall(handshake("/v1/realtime", "wrong"))
        assert read_until(plain, b"\r\n\r\n").startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 403 "))


def handshake(path: str, key: str) -> bytes:
    """Return the request that asks for a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: x",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
    ]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Authorization: Bearer {key}", "", ""]
    return "\r\n".join(lines).encode()


def read_until(plain: socket.socket, mark: bytes) -> bytes:
    """Return what comes, up to a mark or the end."""
    said = b""
    while mark not in said and (data := plain.recv(4096)):
        said += data
    return said


@check
def engine_paths(door: Door) -> None:
    for path, body, tier in (
        ("/embed", {"inputs": "x"}, "embed"),
        ("/tokenize", {"model": "scholar", "prompt": "x"}, "lens"),
        ("/tokenize", {"model": served("heavy"), "prompt": "x"}, "heavy"),
    ):
        assert door.ask(path, body).status == 200
        assert last(door, tier)["path"] == path
    assert door.ask("/infill", {"input_prefix": "x"}).status == 404
    assert not any(door.seen(tier) for tier in TIERS)


@check
def paths(door: Door) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    asked: list[tuple[str, Any, str]] = [
        ("/v1/images/generations", {"prompt": "x"}, "heavy"),
        ("/v1/images/generations", {"prompt": "x", "model": "talk"}, "fast"),
    ]
    for path, body, tier in asked:
        assert door.ask(path, body).status == 200
        assert last(door, tier)["path"] == path
    assert door.ask("/v1/images/edits", form("coder", b"x"), headers=headers).status == 200
    assert last(door, "heavy")["path"] == "/v1/images/edits"
    assert door.ask("/v1/images/edits", form("no-such-model", b"x"), headers=headers).status == 404
    assert door.ask("/v1/images/variations", form("coder", b"x"), headers=headers).status == 404


@check
def cors(door: Door) -> None:
    asks = {**PREFLIGHT, "Access-Control-Request-Headers": "authorization, content-type, x-stainless-os"}
    reply = door.ask(CHAT, method="OPTIONS", key=None, headers=asks)
    assert reply.status in {200, 204}
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "x-stainless-os" in reply.headers["access-control-allow-headers"].lower()
    assert not any(door.seen(tier) for tier in TIERS)
    for key, status in ((KEY, 200), ("wrong", 401)):
        reply = door.ask(CHAT, question(served("fast")), key=key, headers={"Origin": ORIGIN})
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (status, ORIGIN)
        assert "origin" in reply.headers["vary"].lower()
    for other in ("https://other.example.org", f"{ORIGIN}.evil.org", "null"):
        reply = door.ask(CHAT, question(served("fast")), headers={"Origin": other})
        assert "access-control-allow-origin" not in reply.headers
        reply = door.ask(CHAT, method="OPTIONS", key=None, headers={**PREFLIGHT, "Origin": other})
        assert "access-control-allow-origin" not in reply.headers
