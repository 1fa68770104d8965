"""One check for each quality of a router: it passes where a router has it, and fails where it does not."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from e2e.contract.door import KEY, Door, question, served
from e2e.contract.registry import MIB, check, last, variant
from e2e.patience import least, until

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
    def seconds_between() -> float:
        """Return how long after the first piece the last one came."""
        events = list(door.stream(served("fast"), {"chunks": 3, "tools": True, "delay": 0.3}))
        calls = [(came, call) for came, event in events for call in deltas(event).get("tool_calls") or ()]
        assert [call["function"]["arguments"] for _, call in calls] == ["[", '"1",', '"2",']
        return calls[-1][0] - calls[0][0]

    # On a busy machine the first one may be read late.
    assert any(seconds_between() > 0.4 for _ in range(3))


@variant
def reload(door: Door) -> None:
    if door.inventory["router"]["aliases"]["coder"] != "heavy":  # a second try
        door.inventory["router"]["aliases"]["coder"] = "heavy"
        door.up()
    before = door.box.container("router")["State"]["StartedAt"]
    stream = door.stream(served("fast"), {"chunks": 30, "delay": 0.1})
    next(stream)
    assert door.chat("coder").json["tier"] == served("heavy")
    door.inventory["router"]["aliases"]["coder"] = "fast"
    door.up()
    assert door.chat("coder").json["tier"] == served("fast")
    assert len([event for _, event in stream if event["choices"]]) == 30
    assert door.box.container("router")["State"]["StartedAt"] == before


@check
def abort(door: Door) -> None:
    seconds = 30
    stream = door.stream(served("fast"), {"chunks": seconds * 10, "delay": 0.1})
    next(stream)
    stream.close()
    left = time.time()
    told = until(lambda: door.kept("fast")[-1]["left"], seconds=2 * seconds)
    assert told - left < seconds / 6, "the tier goes on for too long"


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
    error = reply.json["error"]
    assert {"fast-model", "heavy-model"} <= {*error["message"].replace(",", " ").split(), *error.get("models", ())}


@check
def names_tier(door: Door) -> None:
    with door.stopped("fast"):
        time.sleep(0.3)

        def seconds_of_one() -> float:
            reply = door.chat(served("fast"))
            assert reply.status == 503
            assert "fast" in reply.json["error"]["message"]
            return reply.seconds

        assert least(seconds_of_one, 0.1, tries=20) < 0.1


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
    for part in ('name="model"\r\nContent-Type: text/plain\r\nX-More: a', "name=model", "name=model; x=y"):
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        reply = door.ask("/v1/audio/transcriptions", form("listen", sound, part), headers=headers)
        assert reply.status == 200, (part, reply.text)


def form(model: str, sound: bytes, part: str = 'name="model"') -> bytes:
    """Return the body of a form with a file."""
    head = f"--b\r\nContent-Disposition: form-data; {part}\r\n\r\n{model}\r\n"
    file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    return head.encode() + file.encode() + sound + b"\r\n--b--\r\n"


# What an inventory wishes for.
