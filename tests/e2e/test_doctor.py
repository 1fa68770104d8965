"""What a real machine has, against what an inventory wants of it."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from e2e.box import Box
from e2e.cards import cards_of
from e2e.engine import Engine

PRO6000, RTX5090 = cards_of("fakoli-dark")


@pytest.fixture
def cards(box: Box, machine_path: str) -> Box:
    """Return a box with the two cards of fakoli-dark, pinned as on Linux."""
    box.environment |= {"PATH": machine_path, "ANVIL_ROUTER_TOKEN": "a key"}
    inventory = box.adapted("fakoli-dark")
    inventory["host"]["platform"] = "linux"
    box.render(inventory)
    return box


def doctor(box: Box, *options: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and the checks by what was looked at."""
    done = box.anvil_gen("doctor", "box", "--json", *options, check=False)
    return done.code, {check["what"]: check for check in json.loads(done.stdout)["checks"]}


def outcomes(checks: dict[str, Any], *whats: str) -> list[str]:
    """Return what came out for some checks: the code of what is wrong, else the verdict."""
    return [checks[what]["fault"]["code"] if checks[what]["fault"] else checks[what]["verdict"] for what in whats]


def test_a_machine_that_has_all_of_it(cards: Box) -> None:
    cards.compose("build", "--quiet", "router")
    _, before = doctor(cards)
    assert before[f"volume {cards.name('hfcache')}"]["verdict"] == "warn"  # only a trial needs it
    cards.engine.docker("volume", "create", cards.name("hfcache"))
    code, checks = doctor(cards, "--probe")

    assert {what: check["fault"] for what, check in checks.items() if check["verdict"] != "pass"} == {}
    assert code == 0
    assert checks["GPU rtx5090"]["found"].startswith(f"{RTX5090.name}, 32607 MiB, compute capability 12.0")
    assert checks["GPU pinning of fast"]["found"] == f"a container sees rtx5090 ({RTX5090.uuid}) and no other GPU"
    assert checks["GPU pinning of heavy"]["found"] == f"a container sees pro6000 ({PRO6000.uuid}) and no other GPU"


def test_what_is_started_to_measure_leaves_nothing(cards: Box) -> None:
    doctor(cards, "--probe")

    left = [
        cards.engine.docker(kind, "ls", "--quiet", "--filter", f"name={cards.prefix}") for kind in ("network", "volume")
    ]
    assert [*left, cards.engine.docker("ps", "--all", "--quiet", "--filter", f"name={cards.prefix}")] == ["", "", ""]


def test_a_platform_that_ignores_pins_is_measured(cards: Box, engine: Engine) -> None:
    with engine.ignoring_pins():
        code, checks = doctor(cards, "--probe")

    assert code == 1
    assert outcomes(checks, "GPU pinning of fast", "GPU pinning of heavy") == ["platform-ignores-gpu-pinning"] * 2
    assert PRO6000.uuid in checks["GPU pinning of fast"]["fault"]["detail"]
    line = f'environment.CUDA_VISIBLE_DEVICES = "{RTX5090.uuid}"'
    assert checks["GPU pinning of fast"]["fault"]["remedy"].endswith(f"\n    [tiers.fast]\n    {line}")


def test_an_engine_that_is_pinned_all_the_same(box: Box, machine_path: str, engine: Engine) -> None:
    box.environment |= {"PATH": machine_path, "ANVIL_ROUTER_TOKEN": "a key"}
    box.render(box.adapted("fakoli-dark"))
    with engine.ignoring_pins():
        _, checks = doctor(box, "--probe")

    assert (checks["GPU pinning of fast"]["verdict"], checks["GPU pinning of heavy"]["verdict"]) == ("warn", "warn")
    assert outcomes(checks, "platform") == ["platform-differs-from-the-inventory"]


def test_a_card_that_the_machine_lacks(cards: Box) -> None:
    inventory = cards.adapted("fakoli-dark")
    inventory["gpus"]["rtx5090"]["uuid"] = "GPU-00000000-0000-0000-0000-000000000000"
    inventory["gpus"]["pro6000"]["memory_mib"] = 24576
    cards.render(inventory)
    code, checks = doctor(cards, "--probe")

    assert code == 1
    assert outcomes(checks, "GPU rtx5090", "GPU pro6000", "GPU pinning of fast", "GPU pinning of heavy") == [
        "gpu-not-found",
        "memory-differs-from-the-inventory",
        "container-cannot-access-the-gpus",
        "pass",
    ]
    assert "unknown device" in checks["GPU pinning of fast"]["fault"]["detail"]


def test_all_that_is_missing_at_once(box: Box, engine: Engine) -> None:
    inventory = box.adapted("cpu-demo")
    inventory["tiers"]["small"]["model"] = {"file": "not-there.gguf"}
    inventory["tiers"]["hub"] = {"engine": "llamacpp", "port": box.port("hub"), "model": {"repo": "org/name"}}
    inventory["tiers"]["hub"]["image"] = "127.0.0.1:9/nothing:1"
    inventory["hfcache"] = {"volume": box.name("hub")}
    box.render(inventory)
    engine.docker("run", "--detach", "--name", box.name("small"), "python:3.13-slim", "sleep", "600")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", box.port("hub")))
        listener.listen()
        code, checks = doctor(box)

    assert code == 1
    assert outcomes(
        checks,
        *("variable ANVIL_ROUTER_TOKEN", "files of small", f"volume {box.name('hub')}"),
        *("image of hub", "name of small", "port of hub"),
    ) == [
        *("variable-is-not-set", "missing-model-file", "missing-external-volume"),
        *("image-is-not-available-yet", "container-name-is-taken", "port-is-taken"),
    ]


def test_what_runs_is_no_obstacle(box: Box) -> None:
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    box.render(box.adapted("cpu-demo"))
    box.anvil_gen("up", "box", "small")
    _, checks = doctor(box)

    assert checks["port of small"]["found"] == f"127.0.0.1:{box.port('small')} is its own"
    assert checks["name of small"]["found"] == f"{box.name('small')} is its own"


def test_remedies_mend(box: Box) -> None:
    """Each command is run as it is printed, and then the check passes."""
    inventory = box.adapted("cpu-demo")
    inventory["router"]["kind"] = "anvil"  # whose image is built
    inventory["hfcache"] = {"volume": box.name("hub")}
    inventory["tiers"]["hub"] = {"engine": "llamacpp", "port": box.port("hub"), "model": {"repo": "org/name"}}
    box.render(inventory)
    fixed = ("variable ANVIL_ROUTER_TOKEN", f"volume {box.name('hub')}", "image of router")
    _, checks = doctor(box)
    assert "pass" not in [checks[what]["verdict"] for what in fixed]

    for what in fixed:
        commands = [line for line in checks[what]["fault"]["remedy"].splitlines() if line.startswith("    ")]
        box.engine.run("sh", "-c", "\n".join(commands), cwd=box.folder)
    _, checks = doctor(box)
    assert [checks[what]["verdict"] for what in fixed] == ["pass"] * 3
