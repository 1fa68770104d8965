"""A Docker that is reached over the network, by a context or an address: it cannot mount files of this machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from e2e.box import Box
from e2e.engine import Engine

ADDRESS = "0.0.0.0"
"""Another machine, as far as a client can tell: it does not say so itself that it is this one."""


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy what comes from a connection to another one, until it ends."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def serve(listener: socket.socket, path: str) -> None:
    """Pass each connection on to a socket file."""
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(path)
            for pair in ((client, engine), (engine, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()


@pytest.fixture
def remote(engine: Engine) -> Iterator[str]:
    """Return the address under which the engine is reached over the network."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        path = engine.environment["DOCKER_HOST"].removeprefix("unix://")
        thread = threading.Thread(target=serve, args=(listener, path), daemon=True)
        thread.start()
        yield f"tcp://{ADDRESS}:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def plain(box: Box) -> dict[str, Any]:
    """Return an inventory whose tree has no file that a container mounts."""
    inventory = box.adapted("cpu-demo")
    del inventory["router"]
    return inventory


def test_a_tree_without_generated_mounts_is_let_through(box: Box, remote: str) -> None:
    box.render(plain(box))
    box.environment["DOCKER_HOST"] = remote
    done = box.anvil_gen("up", "box")

    assert done.stdout == "+ small  started\n"
    assert box.container("small")["State"]["Status"] == "running"
    code = box.anvil_gen("down", "box").code
    assert code == 0


def test_generated_mounts_are_refused_before_anything_starts(box: Box, remote: str, engine: Engine) -> None:
    box.render(box.adapted("cpu-demo"))
    box.environment |= {"DOCKER_HOST": remote, "ANVIL_ROUTER_TOKEN": "a key"}
    done = box.anvil_gen("up", "box", check=False)

    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: generated files cannot be mounted on another machine\n")
    assert " (by router)" in done.stderr
    assert f"\n      rsync -a {box.tree}/ HOST:box/\n" in done.stderr
    assert engine.docker("ps", "--all", "--quiet", "--filter", f"name={box.prefix}") == ""

    assert box.anvil_gen("up", "box", "small").stdout == "+ small  started\n"


def test_doctor_tells_of_them(box: Box, remote: str) -> None:
    box.render(box.adapted("cpu-demo"))
    box.environment |= {"DOCKER_HOST": remote, "ANVIL_ROUTER_TOKEN": "a key"}
    done = box.anvil_gen("doctor", "box", "--json", check=False)
    answer = json.loads(done.stdout)

    assert done.code == 1
    failed = [check["fault"]["code"] for check in answer["checks"] if check["verdict"] == "fail"]
    assert failed == ["generated-files-cannot-be-mounted-on-another-machine"]
    assert any("of the other machine" in what for what in answer["unchecked"])


def test_a_context_of_the_inventory(box: Box, remote: str, engine: Engine) -> None:
    engine.docker("context", "create", box.prefix, f"--docker=host={remote}")
    try:
        inventory = plain(box)
        inventory["host"]["docker_context"] = box.prefix
        box.render(inventory)
        box.environment["DOCKER_HOST"] = ""
        assert box.anvil_gen("up", "box").stdout == "+ small  started\n"
        done = box.anvil_gen("doctor", "box", "--json", check=False)
    finally:
        engine.docker("context", "rm", "--force", box.prefix)

    found = {check["what"]: check["found"] for check in json.loads(done.stdout)["checks"]}
    assert found["daemon"].endswith(f"on another host, {remote}")
    assert found["name of small"] == f"{box.name('small')} is its own"


def test_a_context_that_is_not_there(box: Box) -> None:
    inventory = plain(box)
    inventory["host"]["docker_context"] = box.prefix
    box.render(inventory)
    done = box.anvil_gen("up", "box", check=False)

    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: unknown Docker context\n")
    assert "\n      docker context ls\n" in done.stderr
