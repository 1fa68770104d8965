"""One check for each wish of `[router]`: it passes where a router fulfils it, and fails where it cannot."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from e2e.contract.door import KEY, SECONDS, Door, served
from e2e.contract.registry import MIB, TIMED_OUT, check, variant
from e2e.patience import least, until


@check
def fallbacks(door: Door) -> None:
    assert door.chat("coder").json["tier"] == "heavy-model"
    with door.stopped("heavy"):
        assert [door.chat("coder").json["tier"] for _ in range(3)] == ["fast-model"] * 3
    door.wait_for("heavy")
    until(lambda: door.chat("coder").json["tier"], lambda tier: tier == "heavy-model")


@check
def default_tier(door: Door) -> None:
    assert door.chat(None).json["tier"] == "fast-model"
    assert door.chat("no-such-model").status == 404


@check
def timeout(door: Door) -> None:
    with door.mode("heavy", "hang"), door.mode("fast", "hang"):
        reply = door.chat(served("heavy"))
    assert reply.status in TIMED_OUT
    assert reply.seconds < 60  # it hangs for ten minutes


@check
def tier_timeout(door: Door) -> None:
    """The tier's own limit of two seconds, not the five of all."""

    def seconds_of_one() -> float:
        reply = door.chat(served("fast"))
        assert reply.status in TIMED_OUT
        assert "fast" in reply.json["error"]["message"]
        assert reply.seconds > 1.5
        return reply.seconds

    with door.mode("fast", "hang"):
        assert least(seconds_of_one, 4) < 4


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
    assert [announced(door, length) for length in (2**31, 2**32 + 100)] == [413, 413]
    assert announced(door, 10**30) in {400, 413}
    assert too_large_in_chunks(door) == 413
    assert too_large_in_chunks(door, {"X-Long": "x" * 100_000}) in {413, 431}


def announced(door: Door, length: int) -> int:
    """Announce a body of a length, without sending it; return the status."""
    with door.connected() as connection:
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Authorization", f"Bearer {KEY}")
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        return connection.getresponse().status


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
    port = door.box.port("metrics") if "metrics_port" in door.kind.supports else None
    if port is None:
        door.inventory["router"]["metrics"] = "key"
        door.up("router")
    assert door.chat("talk").status == 200

    def told() -> list[str]:
        return [door.ask(path, port=port).text for path in ("/metrics", "/metrics/", "/metrics/names")]

    assert any("# TYPE" in text for text in told()), "there are no metrics"
    # Some count a request a moment after its answer.
    until(told, lambda texts: any('"talk"' in text for text in texts))


@variant
def metrics_key(door: Door) -> None:
    door.inventory["router"]["metrics"] = "key"
    door.up("router")
    door.chat(served("fast"))
    path = "/metrics/" if door.ask("/metrics").status == 307 else "/metrics"
    reply = door.ask(path)
    assert reply.status == 200
    assert "# TYPE" in reply.text
    assert door.ask("/metrics", key=None).status == 401
    names = [name.partition("{")[0] for name in (door.kind.metrics.names.values() if door.kind.metrics else ())]

    def absent() -> list[str]:
        """Return the names that no metric has: some count a request a moment after its answer."""
        told = door.ask(path).text + door.ask("/metrics/names").text
        return [name for name in names if name.removesuffix("_total") not in told]

    until(absent, lambda found: found == [])


@variant
def tls(door: Door) -> None:
    certificate, key = make_certificate(door.box.folder / 'certificates of "me" $x')
    door.inventory["router"]["tls"] = {"certificate": str(certificate), "key": str(key)}
    door.up("router")
    trusted = ssl.create_default_context(cafile=str(certificate))
    with (
        socket.create_connection(("127.0.0.1", door.port), timeout=SECONDS) as plain,
        trusted.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        head = f"GET {door.kind.health.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        secure.sendall(head.encode())
        assert secure.recv(1000).startswith(b"HTTP/1.1 200")
    trusted.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", door.port), timeout=SECONDS) as plain,
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
    if key.exists():  # a second try: the router has it already
        return certificate, key
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    key.chmod(0o644)
    return certificate, key
