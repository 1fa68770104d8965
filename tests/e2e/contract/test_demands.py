"""What every router has to do, whatever it claims."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import secrets
import socket
import zlib
from itertools import pairwise
from typing import Any

import pytest

from e2e import web
from e2e.contract.door import KEY, KEYS, SECONDS, STRANGE, TIERS, Door, question, served
from e2e.contract.registry import MIB, last
from e2e.patience import least


def raw(door: Door, *pieces: bytes, patience: float = 2) -> bytes:
    """Send bytes as they are, and return what comes back until the router closes or says no more for some seconds."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=SECONDS) as plain:
        for piece in pieces:
            plain.sendall(piece)
        plain.settimeout(patience)
        answer = b""
        try:
            while data := plain.recv(65536):
                answer += data
        except TimeoutError:
            pass
        return answer


def test_health_needs_no_key(door: Door) -> None:
    assert door.ask(door.kind.health.path, key=None).status == 200


def test_all_models_are_listed(door: Door) -> None:
    reply = door.ask("/v1/models")
    wanted = {served(name) for name, (task, _, _) in TIERS.items() if task in door.kind.alias_tasks}

    assert reply.status == 200
    assert wanted | set(door.inventory["router"]["aliases"]) <= {model["id"] for model in reply.json["data"]}


@pytest.mark.parametrize("model", ["coder", "org/heavy:q4", 'a"b', STRANGE, "heavy-model"])
def test_every_name_reaches_its_tier(door: Door, model: str) -> None:
    reply = door.chat(model)

    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] == "heavy-model"


def test_a_name_behind_a_long_prompt_is_found(door: Door) -> None:
    text = '"model": "fast-model" ' * 50_000
    asked = {"messages": [{"role": "user", "content": text}], "x": {"model": "fast-model"}, "model": served("heavy")}
    reply = door.ask("/v1/chat/completions", asked)

    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] == "heavy-model"


def test_long_headers_hide_no_name(door: Door) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x" * (23 * MIB)}], "model": served("heavy")}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nX-Long: {'x' * 100_000}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    door.forget()
    with contextlib.suppress(ConnectionError):  # it may close before all of it is sent
        raw(door, head, body)

    assert not door.seen("fast")


def test_a_stream_comes_piece_by_piece(door: Door) -> None:
    def is_spread() -> bool:
        events = list(door.stream(served("fast"), {"chunks": 5, "delay": 0.2}))
        came = [when for when, event in events if event["choices"] and event["choices"][0]["delta"].get("content")]
        assert len(came) == 5
        return all(later - earlier > 0.05 for earlier, later in pairwise(came)) and came[-1] - came[0] > 0.6

    # On a busy machine two may be read at once that came one after the other.
    assert any(is_spread() for _ in range(5))


def test_no_key_reaches_a_tier_or_the_log(door: Door) -> None:
    door.forget()
    assert door.chat(served("fast")).status == 200
    door.ask("/v1/chat/completions", question(served("fast")), key=None, headers={"x-api-key": KEY})
    door.ask("/v1/chat/completions", question(served("fast")), key="a wrong key")
    sent = json.dumps(door.seen("fast"))

    for text in (KEY, "a wrong key"):
        assert text not in sent
        assert text not in door.logs()


def test_no_body_gets_into_the_log(door: Door) -> None:
    door.chat(served("fast"), secret="a secret of the request")
    door.chat("no-such-model", secret="a secret of the request")

    assert "a secret of the request" not in door.logs()


@pytest.mark.parametrize("key", ["wrong", "", " ", KEY.upper(), "é"])
def test_a_wrong_key_reaches_no_tier(door: Door, key: str) -> None:
    door.forget()
    for headers in ({"Authorization": f"Bearer {key}".encode().decode("latin-1")}, {"Authorization": key or "Basic x"}):
        sent = {name: value.encode() for name, value in headers.items()}
        reply = door.ask("/v1/chat/completions", question(served("fast")), key=None, headers=sent)
        assert reply.status >= 400
    assert not any(door.seen(tier) for tier in TIERS)


PATHS = [
    *(
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/%63hat/completions",
        "/%2e/v1/models",
    ),
    *("/v1/../_seen", "/_seen", "/health/../v1/models", "http://fast:1/v1/models", "http://x/v1/chat/completions"),
    *("/v1/models?x=/health", "/health/x", "/metrics", "/v1/chat/completions#/health", "/HEALTH/"),
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_gets_by_the_key(door: Door, path: str) -> None:
    door.forget()
    body = json.dumps(question(served("fast"))).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    answer = raw(door, head + body)

    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert not any(door.seen(tier) for tier in TIERS)


SMUGGLED = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: +5\r\n\r\nabcde",
]


@pytest.mark.parametrize("rest", SMUGGLED)
def test_a_request_in_a_request_reaches_no_tier(door: Door, rest: bytes) -> None:
    door.forget()
    body = json.dumps(question(served("fast"))).encode()
    inner = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    raw(door, b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + rest + inner)

    assert not any(door.seen(tier) for tier in TIERS)


def test_expect_is_answered(door: Door) -> None:
    body = json.dumps(question(served("fast"))).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    assert b" 200 " in raw(door, head, body, patience=SECONDS)


def test_hop_by_hop_headers_stay_here(door: Door) -> None:
    door.forget()
    headers = {"Proxy-Authorization": "Basic abc", "Proxy-Connection": "close", "Keep-Alive": "timeout=5"}
    headers |= {"TE": "trailers", "Trailer": "x-sum"}
    assert door.ask("/v1/chat/completions", question(served("fast")), headers=headers).status == 200
    sent = {name.lower(): value for name, value in last(door, "fast")["headers"]}

    assert sent.keys().isdisjoint(name.lower() for name in headers)


def test_a_tier_that_is_down_is_an_error_and_back_within_five_seconds(door: Door) -> None:
    """Within five seconds from when it answers itself: how soon it does is not the router's doing."""

    def seconds_until_back() -> float:
        with door.stopped("fast"):
            assert 400 <= door.chat(served("fast")).status < 600
            door.box.engine.docker("start", door.box.name("fast"))
            web.wait_for(door.box.port("fast"))
            return door.wait_for("fast")

    assert least(seconds_until_back, 5) < 5


def test_a_recreated_tier_is_found(door: Door) -> None:
    def seconds_until_found() -> float:
        door.box.compose("up", "--detach", "--force-recreate", "--wait", "fast")
        return door.wait_for("fast")

    assert least(seconds_until_found, 5) < 5


def test_the_container_can_do_little(door: Door) -> None:
    found = door.box.container("router")
    host, mounts = found["HostConfig"], found["Mounts"]

    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert not any(mount["RW"] for mount in mounts if mount["Type"] == "bind")
    status = door.box.engine.docker("exec", door.box.name("router"), "cat", "/proc/1/status")
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in lines["Uid"].split()
    assert int(lines["CapEff"], 16) == 0


HARD = json.dumps({"messages": [{"role": "user", "content": "hello"}], "model": "heavy-model"})
DEEP: Any = 1
for _ in range(30):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (gzip.compress(HARD.encode()), {"Content-Encoding": "gzip"}),
        (zlib.compress(HARD.encode()), {"Content-Encoding": "deflate"}),
        (HARD.encode("utf-16"), {}),
        (HARD.encode("utf-16-le"), {}),
        (HARD.encode("utf-32-be"), {}),
        (HARD.encode("utf-16-le"), {"Content-Type": "application/json; charset=utf-16le"}),
        (HARD.replace('"model"', '"mod\\u0065l"').encode(), {}),
        (HARD.replace('"model"', '"\\u006Dodel"').encode(), {}),
        (json.dumps({"x": DEEP, **json.loads(HARD)}).encode(), {}),
    ],
    ids=["gzip", "deflate", "utf-16", "utf-16-le", "utf-32-be", "charset", "escaped", "escaped-first", "deep"],
)
def test_what_is_hard_to_read_goes_to_no_other_tier(door: Door, body: bytes, headers: dict[str, str]) -> None:
    door.forget()
    reply = door.ask("/v1/chat/completions", body, headers=headers)

    assert reply.status >= 400 or reply.json["choices"][0]["message"]["content"] == served("heavy")
    assert not any(door.seen(tier) for tier in TIERS if tier != "heavy")


def test_a_key_in_another_place_reaches_no_tier(door: Door) -> None:
    door.forget()
    headers = {"api-key": "another key", "Cookie": "session=another key"}
    path = "/v1/chat/completions?a=1&key=another%20key&api_key=another%20key&access_token=another%20key"
    door.ask(path, question(served("fast")), headers=headers)
    for query in ("key=another%20key", "%6bey=another%20key", ""):
        door.ask(f"/v1/chat/completions?{query}", question(served("fast")))
    sent = json.dumps(door.seen("fast"))

    assert "another key" not in sent
    assert "another%20key" not in sent


@pytest.mark.parametrize("value", [None, ""])
def test_it_does_not_start_without_its_key(door: Door, value: str | None) -> None:
    environment = dict(door.box.environment)
    variable = KEYS["laptop"][0]
    door.box.environment.pop(variable)
    if value is not None:
        door.box.environment[variable] = value
    try:
        done = door.box.engine.run(
            *(
                "timeout",
                "300",
                "docker",
                "compose",
                "run",
                "--rm",
                "--name",
                door.box.name(f"keyless-{secrets.token_hex(2)}"),
                "router",
            ),
            cwd=door.box.tree,
            env=door.box.environment,
            check=False,
        )
    finally:
        door.box.environment.update(environment)
    assert done.code not in (0, 124)
    said = done.stdout + done.stderr
    files = {path.name: path.read_text("utf-8") for path in (door.box.tree / "router").iterdir() if path.is_file()}
    assert variable in said or any(name in said and variable in text for name, text in files.items())


def test_answers_carry_no_bytes_of_another(door: Door) -> None:
    body = base64.b64encode(b"x" * 3000).decode()
    replies = [door.chat(served("fast"), note=body, number=number) for number in range(20)]

    assert {reply.json["choices"][0]["message"]["content"] for reply in replies} == {"fast-model"}
