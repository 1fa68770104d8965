"""What `up` tells where a service cannot come up: looked up on a real engine, not read from Compose's words."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from running import Result

from e2e.box import Box
from e2e.cards import cards_of
from e2e.engine import Engine

PRO6000, RTX5090 = cards_of("fakoli-dark")
IMAGE = "python:3.13-slim"


def failed(box: Box, inventory: dict[str, Any], *arguments: str) -> Result:
    """Render an inventory, and return what an `up` says that fails."""
    box.render(inventory)
    done = box.anvil_gen("up", "box", *arguments, check=False)
    assert done.code == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def small(box: Box, **tier: Any) -> dict[str, Any]:
    """Return the small machine without its router, and its tier changed."""
    inventory = box.adapted("cpu-demo")
    del inventory["router"]
    inventory["tiers"]["small"] |= tier
    return inventory


def test_a_missing_model(box: Box) -> None:
    done = failed(box, small(box, model={"file": "SmolLM2-135M.gguf"}))

    assert "error: missing model file\n  --> hosts/box.toml:" in done.stderr
    assert 'did you mean "SmolLM2-135M-Instruct.Q4_1.gguf"?' in done.stderr
    assert done.stdout == ""


def test_a_missing_volume(box: Box) -> None:
    inventory = small(box, model={"repo": "org/name"})
    inventory["hfcache"] = {"volume": box.name("hub")}
    done = failed(box, inventory)

    assert f"the volume {box.name('hub')}, which small mounts, does not exist" in done.stderr
    assert f"\n      docker volume create {box.name('hub')}\n" in done.stderr


def test_a_port_of_a_process(box: Box) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", box.port("small")))
        listener.listen()
        done = failed(box, small(box))

    assert "error: port is taken\n" in done.stderr
    assert f"(process {os.getpid()})" in done.stderr


def test_a_port_of_a_container(box: Box, engine: Engine) -> None:
    other, port = box.name("other"), box.port("small")
    engine.docker("run", "--detach", "--name", other, "--publish", f"127.0.0.1:{port}:80", IMAGE, "sleep", "600")
    done = failed(box, small(box))

    assert f"{port} is in use by the container {other}, created without Compose" in done.stderr
    assert f"\n      docker stop {other}\n" in done.stderr


def test_a_name_that_is_taken_and_taken_over(box: Box, engine: Engine) -> None:
    engine.docker("run", "--detach", "--name", box.name("small"), IMAGE, "sleep", "600")
    done = failed(box, small(box))

    assert "error: container name is taken\n" in done.stderr
    lines = done.stderr.splitlines()
    removal = next(line.strip() for line in lines if "docker rm --force" in line)
    engine.run("sh", "-c", removal)
    box.anvil_gen("up", "box")
    assert box.container("small")["State"]["Status"] == "running"


def test_an_image_that_is_nowhere(box: Box, registry: str) -> None:
    done = failed(box, small(box, image=f"{registry}/nothing:1"))

    assert "error: image cannot be pulled\n  --> hosts/box.toml:" in done.stderr
    assert f"\n      docker pull {registry}/nothing:1\n" in done.stderr


def test_a_variable_without_a_value(box: Box) -> None:
    done = failed(box, small(box, image={"env": "SMALL_IMAGE"}))

    assert "SMALL_IMAGE has no value, neither in the shell nor in deploy/box/.env; it is read by small" in done.stderr


def test_a_card_that_the_machine_lacks(box: Box, machine_path: str) -> None:
    box.environment |= {"PATH": machine_path, "ANVIL_ROUTER_TOKEN": "a key"}
    inventory = box.adapted("fakoli-dark")
    inventory["gpus"]["rtx5090"]["uuid"] = "GPU-00000000-0000-0000-0000-000000000000"
    done = failed(box, inventory, "fast")

    assert "error: GPU not found\n  --> hosts/box.toml:" in done.stderr
    assert f"{RTX5090.uuid}  {RTX5090.name}" in done.stderr
    assert "no GPU runtime" not in done.stderr


def test_a_container_that_is_paused(box: Box, engine: Engine) -> None:
    inventory = small(box, engine="custom", image=IMAGE, entrypoint=["/bin/sleep", "600"], stop_grace_period="1s")
    del inventory["tiers"]["small"]["model"]
    box.render(inventory)
    box.anvil_gen("up", "box")
    engine.docker("pause", box.name("small"))
    done = box.anvil_gen("up", "box", check=False)
    engine.docker("unpause", box.name("small"))

    assert done.code == 1
    assert "error: container is paused\n" in done.stderr
    assert f"\n      docker unpause {box.name('small')}\n" in done.stderr


def test_a_network_that_has_gone(box: Box, engine: Engine) -> None:
    inventory = small(box, engine="custom", image=IMAGE, entrypoint=["/bin/sleep", "600"], stop_grace_period="1s")
    del inventory["tiers"]["small"]["model"]
    box.render(inventory)
    box.anvil_gen("up", "box")
    box.compose("stop")
    engine.docker("network", "rm", f"{box.project}_default")
    done = box.anvil_gen("up", "box", check=False)

    assert done.code == 1
    assert "error: network was removed\n" in done.stderr
    box.anvil_gen("down", "box", "small")
    box.anvil_gen("up", "box", "small")


def test_variables_that_compose_cannot_read(box: Box) -> None:
    box.render(small(box))
    (box.tree / ".env").write_text("GOOD=1\nBAD='a secret\n")
    found = box.anvil_gen("doctor", "box", check=False)
    stated = box.anvil_gen("status", "box", check=False)

    assert (found.code, stated.code) == (1, 1)
    assert "fail  variables " in found.stdout
    assert "its quotes are not closed" in found.stdout
    assert "error: variables cannot be read\n" in stated.stderr
    assert "a secret" not in found.stdout + found.stderr + stated.stdout + stated.stderr


def test_json_has_the_causes(box: Box) -> None:
    inventory = small(box, model={"repo": "org/name"})
    inventory["hfcache"] = {"volume": box.name("hub")}
    answer = json.loads(failed(box, inventory, "--json").stdout)

    assert [diagnostic["code"] for diagnostic in answer["diagnostics"]] == ["missing-external-volume"]
    assert "services" not in answer


def test_an_engine_that_is_away(box: Box) -> None:
    box.render(small(box))
    box.environment["DOCKER_HOST"] = "unix:///run/nobody-listens-here.sock"
    done = box.anvil_gen("up", "box", check=False)

    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: Docker does not answer\n")
    assert done.stderr.count("\n") < 8
