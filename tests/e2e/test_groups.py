"""One real model over two hosts: two projects with a link of their own, of which one lends the other its processor."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import running

from e2e import web
from e2e.box import Box, toml_text
from e2e.conftest import new_box
from e2e.engine import Engine
from e2e.patience import until

KEY = "a key of the test"
LINK = {"head": "10.98.0.1", "worker": "10.98.0.2"}


@pytest.fixture(scope="module")
def link() -> Iterator[None]:
    """Give the machine an address for each host."""
    for address in LINK.values():
        # A second try of a test sets up what the first one has left.
        subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lo"], check=True, capture_output=True)
    yield
    for address in LINK.values():
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=False, capture_output=True)


@pytest.fixture(scope="module")
def pair(engine: Engine, link: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Bring the group up, each host by a Docker context of its own, and a router next to the head."""
    with new_box(engine, tmp_path_factory.mktemp("group")) as box:
        box.environment["ROUTER_TOKEN"] = KEY
        context = box.name("there")
        engine.docker("context", "create", context, "--docker", f"host={engine.environment['DOCKER_HOST']}")
        hosts = {name: host(box, name) for name in LINK}
        hosts["worker"]["host"]["docker_context"] = context
        hosts["head"]["router"] = {
            "port": box.port("router"),
            "container_name": box.name("router"),
            "api_key_env": "ROUTER_TOKEN",
            "override": {"healthcheck": {"interval": "1s"}},
        }
        running.fleet(box.folder, **{name: toml_text(inventory) for name, inventory in hosts.items()})
        (box.folder / "groups").mkdir()
        (box.folder / "groups/both.toml").write_text(toml_text(group(box)), "utf-8")
        box.anvil_gen("render", "--all")
        box.anvil_gen("up", "both", "--wait")
        box.anvil_gen("up", "head", "--wait")
        try:
            yield box
        finally:
            engine.docker("context", "rm", "--force", context)


def host(box: Box, name: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "host": {"project": box.name(name)},
        "paths": {"models": str(box.engine.model_folder)},
        "links": {"cable": {"address": LINK[name], "interface": "lo"}},
    }


def group(box: Box) -> dict[str, Any]:
    tier = {
        "engine": "llamacpp",
        "image": "anvil-gen-test/llama-rpc:b10068",
        "model": {"file": "SmolLM2-135M-Instruct.Q4_1.gguf"},
        "port": box.port("big"),
        "container_name": False,
        "context_length": 512,
        "stop_grace_period": "1s",
        "healthcheck": {"interval": "1s"},
        "flags": {"temp": 0},
    }
    return {
        "schema": 1,
        "hosts": ["head", "worker"],
        "link": "cable",
        "link_port": box.port("rpc"),
        "tiers": {"big": tier},
    }


def answer(box: Box) -> int:
    """Ask the model through the router; return the status of an answer with words."""
    body = {"model": "big", "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 8}
    reply = web.ask(box.port("router"), "/v1/chat/completions", body=body, headers={"Authorization": f"Bearer {KEY}"})
    if reply.status == 200:
        assert json.loads(reply.text)["choices"][0]["message"]["content"].strip()
    return reply.status


def answers(box: Box) -> None:
    """Wait until the model answers: a router may still look for a tier that was started again."""
    until(lambda: answer(box), lambda status: status == 200)


@pytest.fixture
def running_pair(pair: Box) -> Box:
    """Return the group, up also where a test before has not got to its end."""
    pair.anvil_gen("up", "both", "--wait")
    return pair


def test_the_model_answers_through_the_router_and_by_the_worker(pair: Box) -> None:
    answers(pair)

    worker = started(pair, "worker")
    until(lambda: pair.engine.docker("logs", worker).lower(), lambda logged: "client connection" in logged)
    status = pair.anvil_gen("status", "both")
    assert [line.split()[:5] for line in status.stdout.splitlines()[1:]] == [
        ["0", "head", "big", "running", "healthy"],
        ["1", "worker", "big", "running", "-"],
    ]


def test_a_killed_worker_is_found_and_healed(running_pair: Box) -> None:
    pair = running_pair
    pair.engine.docker("kill", started(pair, "worker"))

    status = pair.anvil_gen("status", "both", check=False)
    assert status.code == 2
    assert "rank 1 on worker is exited: the others wait for it, and hang" in status.stdout
    assert "    anvil-gen up both\n" in status.stdout

    told = json.loads(pair.anvil_gen("up", "both", "--wait", "--json").stdout)  # one document
    assert [(one["rank"], one["host"], one["wait"]["outcome"]) for one in told["ranks"]] == [
        (0, "head", "ready"),
        (1, "worker", "ready"),
    ]
    assert [service["action"] for one in told["ranks"] for service in one["services"]] == ["created", "created"]
    assert told["reasons"] == ["rank 1 on worker is exited: the others wait for it, and hang"]
    answers(pair)
    assert pair.anvil_gen("status", "both").code == 0


def test_a_changed_group_recreates_both_ranks(running_pair: Box) -> None:
    pair = running_pair
    before = {name: started(pair, name) for name in LINK}
    file = pair.folder / "groups/both.toml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("512", "640") if "512" in text else text.replace("640", "512"), "utf-8")

    refused = pair.anvil_gen("up", "both", check=False)
    assert refused.code == 1
    assert "files do not match the inventory" in refused.stderr
    assert {name: started(pair, name) for name in LINK} == before

    pair.anvil_gen("render", "--all")
    pair.anvil_gen("up", "both", "--wait")
    after = {name: started(pair, name) for name in LINK}
    assert not {*before.values()} & {*after.values()}
    answers(pair)


def started(box: Box, name: str) -> str:
    return box.engine.docker("ps", "-q", "--no-trunc", "--filter", f"name={box.name(name)}-big").strip()


def test_a_file_that_changes_one_rank_alone_is_refused_before_anything_is_stopped(pair: Box) -> None:
    before = {name: started(pair, name) for name in LINK}
    override = pair.folder / "deploy/worker/docker-compose.override.yml"
    override.write_text("services: {big: {environment: {OMP_NUM_THREADS: '1'}}}\n")
    try:
        refused, told = (pair.anvil_gen(verb, "both", check=False) for verb in ("up", "status"))
    finally:
        override.unlink()

    said = "docker-compose.override.yml of worker changes environment.OMP_NUM_THREADS"
    assert (refused.code, said in refused.stderr) == (1, True)
    assert (told.code, said in told.stdout) == (2, True)
    assert {name: started(pair, name) for name in LINK} == before
    assert pair.anvil_gen("status", "both").code == 0


def test_doctor_compares_the_images_over_both_contexts(pair: Box) -> None:
    said = pair.anvil_gen("doctor", "worker", check=False).stdout

    assert "images of both" in said
    assert "the same on 2 hosts" in said


def test_a_group_goes_down_on_both_hosts(running_pair: Box) -> None:
    pair = running_pair
    told = json.loads(pair.anvil_gen("down", "both", "--json").stdout)

    assert [(one["host"], [service["action"] for service in one["services"]]) for one in told["ranks"]] == [
        ("head", ["removed"]),
        ("worker", ["removed"]),
    ]

    assert not any(started(pair, name) for name in LINK)
