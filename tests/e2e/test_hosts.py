"""One router for two hosts: two projects, each in a network of its own, of which one dies under load and comes back."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import running

from e2e import web
from e2e.box import Box, toml_text
from e2e.conftest import new_box
from e2e.contract.door import IMAGE, KEY, STUB
from e2e.engine import Engine
from e2e.load import Load

QUAD_KEY = "the other's, with % and \" in it"
BOTH, THERE = "shared-model", "quad-model"


def tier(box: Box, name: str, *names: str) -> dict[str, Any]:
    port = box.port(name)
    return {
        "engine": "custom",
        "image": IMAGE,
        "served_name": names[0],
        "container_name": box.name(name),
        "port": port,
        "stop_grace_period": "1s",
        "command": ["python3", "-u", "/stub_tier.py", str(port), *names],
        "files": {"/stub_tier.py": STUB.name},
        "healthcheck": {"test": ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], "interval": "1s"},
    }


def router(box: Box, name: str, **more: Any) -> dict[str, Any]:
    override = {"healthcheck": {"interval": "1s"}}
    return {"container_name": box.name(name), "port": box.port(name), "override": override, **more}


@pytest.fixture(scope="module")
def box(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Bring two projects up; the one's router names the other host, and reaches it by the machine's address."""
    (network,) = json.loads(engine.docker("network", "inspect", "bridge"))
    with new_box(engine, tmp_path_factory.mktemp("hosts")) as made:
        made.environment |= {"ROUTER_TOKEN": KEY, "QUAD_KEY": QUAD_KEY}
        mine = {
            "schema": 1,
            "host": {"project": made.project},
            "tiers": {"one": tier(made, "one", BOTH)},
            "router": router(made, "router", api_key_env="ROUTER_TOKEN", hosts=["quad"]),
        }
        other = {
            "schema": 1,
            "host": {"project": f"{made.project}-quad", "address": network["IPAM"]["Config"][0]["Gateway"]},
            "tiers": {"two": tier(made, "two", THERE, BOTH)},
            "router": router(
                made,
                "quad",
                bind="0.0.0.0",
                api_key_env={"box": "QUAD_KEY"},
                aliases={BOTH: "two"},
            ),
        }
        running.fleet(made.folder, box=toml_text(mine), quad=toml_text(other))
        shutil.copy(STUB, made.folder / "hosts" / STUB.name)
        made.anvil_gen("render", "--all")
        for host in ("quad", "box"):
            up(made, host)
        deadline = time.monotonic() + 20
        while {answered(made, BOTH) for _ in range(6)} != {BOTH, THERE}:
            assert time.monotonic() < deadline, "only one of two hosts answers"
        yield made


def up(box: Box, host: str) -> None:
    folder = box.folder / "deploy" / host
    box.engine.run("docker", "compose", "up", "--detach", "--wait", cwd=folder, env=box.environment)


def answered(box: Box, model: str) -> str:
    """Ask for a model; return who answered, or the status."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {KEY}"}
    reply = web.ask(box.port("router"), "/v1/chat/completions", body=body, headers=headers)
    return str(json.loads(reply.text)["tier"]) if reply.status == 200 else str(reply.status)


def test_a_model_of_the_other_host_is_listed_and_answers(box: Box) -> None:
    listed = web.ask(box.port("router"), "/v1/models", headers={"Authorization": f"Bearer {KEY}"})
    assert {model["id"] for model in json.loads(listed.text)["data"]} == {BOTH, THERE}
    assert answered(box, THERE) == THERE


def test_no_key_reaches_a_tier(box: Box) -> None:
    assert {answered(box, BOTH) for _ in range(6)} == {BOTH, THERE}
    for name in ("one", "two"):
        seen = json.loads(web.ask(box.port(name), "/_seen").text)["seen"]
        assert seen
        assert not [header for one in seen for header, _ in one["headers"] if header.lower() == "authorization"]


def test_a_host_that_dies_loses_what_it_was_given_alone(box: Box) -> None:
    load = Load(port=box.port("router"), key=KEY, models=(BOTH,), rate=100, streams=0)
    with load.running():
        time.sleep(2)
        box.engine.docker("kill", box.name("quad"))
        died = time.time()
        time.sleep(3)
        assert {answered(box, BOTH) for _ in range(6)} == {BOTH}
        assert answered(box, THERE) == "503"
        box.engine.docker("start", box.name("quad"))
        deadline = time.monotonic() + 20
        while {answered(box, BOTH) for _ in range(6)} != {BOTH, THERE}:
            assert time.monotonic() < deadline, "the other host gets no requests again"

    printed = box.engine.docker("logs", box.name("router"))
    lines = [line for line in map(json.loads, re.findall("(?m)^{.*", printed)) if line["model"] == BOTH]
    lost = [line for line in lines if line["status"] != 200]
    assert len(load.failed) == len(lost), (load.failed, lost)
    assert {(line["server"], line["status"]) for line in lost} <= {("HOP:quad", 502)}
    assert all(datetime.fromisoformat(line["time"]).timestamp() < died + 1 for line in lost)
    assert load.longest_gap < 2
