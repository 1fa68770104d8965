"""One router for two hosts: two projects, each in a network of its own, of which one dies under load and comes back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from e2e import web
from e2e.box import Box
from e2e.conftest import new_box
from e2e.contract.door import KEY
from e2e.contract.hosts import BOTH, THERE, bring_up, router, second_host, stub
from e2e.contract.replicas import OUT_SECONDS, RETRIED_MS, at
from e2e.engine import Engine
from e2e.load import Load
from e2e.patience import until


@pytest.fixture(scope="module")
def box(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Bring two projects up; the router of one names the other host."""
    with new_box(engine, tmp_path_factory.mktemp("hosts")) as made:
        made.environment["ROUTER_TOKEN"] = KEY
        bring_up(made, "quad", second_host(made))
        mine = {
            "schema": 1,
            "host": {"project": made.project},
            "tiers": {"one": stub(made, "one", BOTH)},
            "router": router(made, "router", api_key_env="ROUTER_TOKEN", hosts=["quad"]),
        }
        bring_up(made, "box", mine)
        both_answer(made)
        yield made


def answered(box: Box, model: str) -> str:
    """Ask for a model; return who answered, or the status."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {KEY}"}
    reply = web.ask(box.port("router"), "/v1/chat/completions", body=body, headers=headers)
    return str(json.loads(reply.text)["tier"]) if reply.status == 200 else str(reply.status)


def both_answer(box: Box) -> None:
    """Wait until each of the two hosts answers."""
    until(lambda: {answered(box, BOTH) for _ in range(6)}, lambda found: found == {BOTH, THERE})


def test_a_model_of_the_other_host_is_listed_and_answers(box: Box) -> None:
    listed = web.ask(box.port("router"), "/v1/models", headers={"Authorization": f"Bearer {KEY}"})
    assert {model["id"] for model in json.loads(listed.text)["data"]} == {BOTH, THERE}
    assert answered(box, THERE) == THERE


def test_no_key_reaches_a_tier(box: Box) -> None:
    both_answer(box)
    for name in ("one", "two"):
        seen = json.loads(web.ask(box.port(name), "/_seen").text)["seen"]
        assert seen
        assert not [header for one in seen for header, _ in one["headers"] if header.lower() == "authorization"]


def test_a_host_that_dies_loses_what_it_was_given_alone(box: Box) -> None:
    box.engine.docker("start", box.name("quad"))  # which a first try may have left dead
    both_answer(box)
    load = Load(port=box.port("router"), key=KEY, models=(BOTH,), rate=100, streams=0)
    began = time.time()
    with load.running():
        time.sleep(2)
        box.engine.docker("kill", box.name("quad"))
        died = time.time()
        time.sleep(3)
        assert {answered(box, BOTH) for _ in range(6)} == {BOTH}
        assert answered(box, THERE) == "503"
        again = time.time()
        box.engine.docker("start", box.name("quad"))
        both_answer(box)

    printed = box.engine.docker("logs", box.name("router"))
    told = map(json.loads, re.findall("(?m)^{.*", printed))
    lines = [line for line in told if line["model"] == BOTH and at(line) >= began]
    lost = [line for line in lines if line["status"] != 200]
    assert all(why.startswith(("http/1.1 502 ", "http/1.1 503 ")) for why in load.failed), load.failed
    # Before 3.4, HAProxy sends none of the requests to another server that the host's own could not be reached for.
    assert {(line["server"], line["status"]) for line in lost} <= {("HOP:quad", 502), ("HOP:quad", 503)}
    assert all(at(line) < died + OUT_SECONDS for line in lost)
    assert len(lost) < len(lines) / 4
    assert {line["server"] for line in lines if died + OUT_SECONDS < at(line) < again} == {"one"}
    assert max(line["total_ms"] for line in lines if line["server"] == "one") < RETRIED_MS
