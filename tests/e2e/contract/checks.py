"""One check for each capability: it passes where a router can do that, and fails where it cannot."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from e2e.contract.door import KEY, KEYS, Door, question, served

CHECKS: dict[str, Callable[[Door], None]] = {}
VARIANTS: dict[str, Callable[[Door], None]] = {}
MIB = 1 << 20
TIMED_OUT = (408, 500, 503, 504)
LIST = [1, 2.5, "x", None, {"a": {"b": []}}]
FIELDS: dict[str, Any] = {
    "top_k": 5,
    "min_p": 0.05,
    "seed": 7,
    "repetition_penalty": 1.1,
    "parallel_tool_calls": False,
    "n": 2,
    "logprobs": True,
    "logit_bias": {"50256": -100},
    "guided_json": {"type": "object"},
    "user": "me",
    "priority": -1,
    "temperature": 0.5,
    "max_tokens": 9,
    "stop": ["a", "b"],
    "metadata": {"a": "b"},
    "chat_template_kwargs": {"enable_thinking": False},
    "big": 9007199254740993,
    "x_unknown": LIST,
}


def check(function: Callable[[Door], None]) -> Callable[[Door], None]:
    """Register the check of the capability that has the function's name."""
    CHECKS[function.__name__] = function
    return function


def variant(function: Callable[[Door], None]) -> Callable[[Door], None]:
    """Register a check that leaves the router with other wishes: it comes after all others."""
    VARIANTS[function.__name__] = function
    return function


def last(door: Door, tier: str) -> Any:
    """Return the last request that a tier was sent."""
    seen = door.seen(tier)
    assert seen, f"{tier} was sent nothing"
    return seen[-1]


def sent_json(door: Door, tier: str) -> Any:
    return json.loads(base64.b64decode(last(door, tier)["body"]))


@check
def rewrite(door: Door) -> None:
    assert door.chat("coder").status == 200
    assert sent_json(door, "heavy")["model"] == served("heavy")


@check
def verbatim(door: Door) -> None:
    inner = '{"model": "fast-model", "x": ["model", {"model": 1}]}'
    body = (
        '{ "messages":[{"role":"user" ,"content":"\\u00fc\\/ \\ud83d\\ude00 ü"}],  "big":9007199254740993,"one":1.0,\n'
        f'"meta":{inner}, "e": 1E400, "x":-0, "model" : "coder" , "zero": 0.10}}'
    ).encode()
    assert door.ask("/v1/chat/completions", body).status == 200
    assert base64.b64decode(last(door, "heavy")["body"]) == body


@check
def fields(door: Door) -> None:
    assert door.chat(served("fast"), **FIELDS).status == 200
    sent = sent_json(door, "fast")
    assert {key: sent.get(key, "absent") for key in FIELDS} == FIELDS


@check
def reasoning(door: Door) -> None:
    how, usage = {"chunks": 3, "reasoning": True}, {"include_usage": True}
    events = list(door.stream(served("fast"), how, stream_options=usage))
    thoughts = [deltas(event).get("reasoning_content") for _, event in events]
    assert [thought for thought in thoughts if thought] == ["thought 0", "thought 1", "thought 2"]
    assert events[-1][1]["usage"]["completion_tokens"] == 2


def deltas(event: Any) -> Any:
    """Return what an event of a stream adds."""
    return event["choices"][0]["delta"] if event["choices"] else {}


@check
def tool_stream(door: Door) -> None:
    events = list(door.stream(served("fast"), {"chunks": 3, "tools": True, "delay": 0.3}))
    calls = [(came, call) for came, event in events for call in deltas(event).get("tool_calls") or ()]
    assert [call["function"]["arguments"] for _, call in calls] == ["[", '"1",', '"2",']
    assert calls[-1][0] - calls[0][0] > 0.4


@check
def abort(door: Door) -> None:
    stream = door.stream(served("fast"), {"chunks": 50, "delay": 0.1})
    next(stream)
    stream.close()
    left = time.time()
    time.sleep(1)
    told = last(door, "fast")["left"]
    assert told, "the tier goes on"
    assert told - left < 0.5


@check
def burst(door: Door) -> None:
    def one(_: int) -> int:
        return len(list(door.stream(served("fast"), {"chunks": 20, "delay": 0.05})))

    with ThreadPoolExecutor(100) as pool:
        counts = list(pool.map(one, range(100)))
    assert set(counts) <= {21, 22}, counts


@check
def chunked(door: Door) -> None:
    data = json.dumps(question(served("fast"))).encode()
    with door.connected() as connection:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        pieces = iter([data[:7], data[7:]])
        connection.request("POST", "/v1/chat/completions", pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 200
    assert last(door, "fast")["length"] > 0


@check
def large(door: Door) -> None:
    for size in (2 * MIB, 20 * MIB):
        body = json.dumps({"messages": [{"role": "user", "content": "x" * size}], "model": served("fast")}).encode()
        reply = door.ask("/v1/chat/completions", body)
        assert reply.status == 200, reply.text[:300]
        assert last(door, "fast")["length"] >= size


@check
def known_models(door: Door) -> None:
    reply = door.chat("no-such-model")
    assert reply.status == 404
    assert {"fast-model", "heavy-model"} <= set(reply.json["error"]["message"].replace(",", " ").split())


@check
def names_tier(door: Door) -> None:
    with door.stopped("fast"):
        time.sleep(0.3)
        seconds = []
        for _ in range(3):
            reply = door.chat(served("fast"))
            assert reply.status == 503
            assert "fast" in reply.json["error"]["message"]
            seconds.append(reply.seconds)
        assert min(seconds) < 0.1


@check
def unauthorized(door: Door) -> None:
    for key in (None, "wrong", "", f"{KEY}x", KEY[:-1]):
        assert door.ask("/v1/chat/completions", question(served("fast")), key=key).status == 401
    assert not door.seen("fast")


@check
def x_api_key(door: Door) -> None:
    question_ = question(served("fast"), max_tokens=5)
    assert door.ask("/v1/messages", question_, key=None, headers={"x-api-key": KEY}).status == 200
    assert door.ask("/v1/messages", question_, key=None, headers={"x-api-key": "wrong"}).status >= 400


def reaches(door: Door, path: str, tier: str, *models: str, **fields: Any) -> None:
    """Assert that what is sent to a path is answered by a tier."""
    for model in models:
        reply = door.ask(path, {"model": model, **fields})
        assert reply.status == 200, (path, model, reply.text[:300])
        assert last(door, tier)["method"] == "POST"


@check
def completions(door: Door) -> None:
    reaches(door, "/v1/completions", "heavy", "coder", served("heavy"), prompt="x")


@check
def responses(door: Door) -> None:
    reaches(door, "/v1/responses", "heavy", "coder", served("heavy"), input="x")


@check
def messages(door: Door) -> None:
    reaches(
        door,
        "/v1/messages",
        "heavy",
        "coder",
        served("heavy"),
        messages=[{"role": "user", "content": "x"}],
        max_tokens=5,
    )


@check
def embeddings(door: Door) -> None:
    reaches(door, "/v1/embeddings", "embed", "vectors", served("embed"), input="x")


@check
def rerank(door: Door) -> None:
    reaches(door, "/v1/rerank", "judge", "order", served("judge"), query="x", documents=["a", "b"])


@check
def speech(door: Door) -> None:
    reply = door.ask("/v1/audio/speech", {"model": "say", "input": "x", "voice": "v"})
    assert reply.status == 200
    assert reply.body == b"\x00\x01RIFF\xffmouth-model"


@check
def transcription(door: Door) -> None:
    sound = bytes(range(256)) * 512
    for model in ("listen", served("ear")):
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        reply = door.ask("/v1/audio/transcriptions", form(model, sound), headers=headers)
        assert reply.status == 200
        assert reply.json["text"] == "ear-model"
        assert last(door, "ear")["length"] > len(sound)


def form(model: str, sound: bytes) -> bytes:
    """Return the body of a form with a file."""
    head = f'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n'
    file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    return head.encode() + file.encode() + sound + b"\r\n--b--\r\n"


# What an inventory wishes for.


@check
def clients(door: Door) -> None:
    for _, key in KEYS.values():
        sent = key.encode()
        for headers in ({"Authorization": b"Bearer " + sent}, {"x-api-key": sent}):
            assert door.ask("/v1/models", key=None, headers=headers).status == 200
    door.ask(f"/v1/{'long' * 1000}")
    door.chat("long" * 1000)
    lines = [json.loads(line) for line in door.logs().splitlines() if line.startswith("{")]
    assert set(KEYS) <= {line["client"] for line in lines}


@check
def fallbacks(door: Door) -> None:
    assert door.chat("coder").json["tier"] == "heavy-model"
    with door.stopped("heavy"):
        assert [door.chat("coder").json["tier"] for _ in range(3)] == ["fast-model"] * 3
    door.wait_for("heavy")
    deadline = time.monotonic() + 5
    while door.chat("coder").json["tier"] != "heavy-model":
        assert time.monotonic() < deadline
        time.sleep(0.05)


@check
def default_tier(door: Door) -> None:
    assert door.chat(None).json["tier"] == "fast-model"
    assert door.chat("no-such-model").status == 404


@check
def timeout(door: Door) -> None:
    with door.mode("heavy", "hang"), door.mode("fast", "hang"):
        reply = door.chat(served("heavy"))
    assert reply.status in TIMED_OUT
    assert reply.seconds < 12


@check
def tier_timeout(door: Door) -> None:
    with door.mode("fast", "hang"):
        reply = door.chat(served("fast"))
    assert reply.status in TIMED_OUT
    assert "fast" in reply.json["error"]["message"]
    assert 1.5 < reply.seconds < 4


@check
def concurrency(door: Door) -> None:
    how = {"model": served("embed"), "messages": [{"content": json.dumps({"first": 0.5})}]}
    began = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: door.ask("/v1/embeddings", how), range(6)))
    assert [reply.status for reply in replies] == [200] * 6
    assert time.monotonic() - began > 1.4


@check
def body_limit(door: Door) -> None:
    for size, status in ((23 * MIB, 200), (25 * MIB, 413)):
        body = json.dumps({"model": served("fast"), "messages": [{"role": "user", "content": "x" * size}]}).encode()
        reply = door.ask("/v1/chat/completions", body)
        assert reply.status == status
        assert "error" in reply.json if status == 413 else reply.json["tier"] == "fast-model"
    assert too_large_in_chunks(door) == 413
    assert too_large_in_chunks(door, {"X-Long": "x" * 100_000}) in {413, 431}


def too_large_in_chunks(door: Door, more: Mapping[str, str] | None = None) -> int:
    """Send a body that does not tell its length and is above the limit; return the status."""
    with door.connected() as connection:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **(more or {})}
        head = json.dumps({"model": served("fast"), "x": ""})[:-2].encode()
        pieces = iter([head, *([b"x" * MIB] * 25), b'"}'])
        with contextlib.suppress(ConnectionError):  # it may close before all of it is sent
            connection.request("POST", "/v1/chat/completions", pieces, headers, encode_chunked=True)
        return connection.getresponse().status


@check
def metrics_port(door: Door) -> None:
    door.chat(served("fast"))
    reply = door.ask("/metrics", key=None, port=door.box.port("metrics"))
    assert reply.status == 200
    assert "fast" in reply.text
    assert "# TYPE" in reply.text


@variant
def alias_metrics(door: Door) -> None:
    port = door.box.port("metrics") if "metrics_port" in door.kind.capabilities else None
    if port is None:
        door.inventory["router"]["metrics"] = "key"
        door.up("router")
    assert door.chat("talk").status == 200
    told = [door.ask(path, port=port).text for path in ("/metrics", "/metrics/")]
    assert any("# TYPE" in text for text in told), "there are no metrics"
    assert any('"talk"' in text for text in told)


@variant
def metrics_key(door: Door) -> None:
    door.inventory["router"]["metrics"] = "key"
    door.up("router")
    door.chat(served("fast"))
    reply = door.ask("/metrics")
    reply = door.ask("/metrics/") if reply.status == 307 else reply
    assert reply.status == 200
    assert "# TYPE" in reply.text
    assert door.ask("/metrics", key=None).status == 401


@variant
def tls(door: Door) -> None:
    certificate, key = make_certificate(door.box.folder / 'certificates of "me" $x')
    door.inventory["router"]["tls"] = {"certificate": str(certificate), "key": str(key)}
    door.up("router")
    trusted = ssl.create_default_context(cafile=str(certificate))
    with (
        socket.create_connection(("127.0.0.1", door.port), timeout=10) as plain,
        trusted.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        head = f"GET {door.kind.health.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        secure.sendall(head.encode())
        assert secure.recv(1000).startswith(b"HTTP/1.1 200")
    trusted.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", door.port), timeout=10) as plain,
        trusted.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.selected_alpn_protocol() != "h2" or largest_frame(secure) < 1 << 24


def largest_frame(connection: ssl.SSLSocket) -> int:
    """Begin HTTP/2, and return the size of the largest frame that the server wants to be sent."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    head = connection.recv(9)
    assert head[3] == 4, "the first frame has no settings"
    settings = connection.recv(int.from_bytes(head[:3], "big"))
    told = dict(struct.iter_unpack(">HI", settings))
    return int(told.get(5, 1 << 14))


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate that signs itself, readable by every user."""
    folder.mkdir(exist_ok=True)
    certificate, key = folder / "cert ü.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    key.chmod(0o644)
    return certificate, key
