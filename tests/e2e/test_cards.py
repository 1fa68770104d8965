"""Cards that are pinned by UUID: each container sees its own, as `nvidia-smi` tells it from inside."""

from __future__ import annotations

import json
import subprocess

import pytest

from e2e.box import Box
from e2e.cards import Card, cards_of, nvidia_smi
from e2e.engine import CARDS, Engine

PRO6000, RTX5090 = cards_of("fakoli-dark")


def seen(box: Box, what: str) -> list[str]:
    """Return the UUIDs of the GPUs that a container sees."""
    query = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    return box.engine.docker("exec", box.name(what), *query).splitlines()


def test_each_container_gets_its_card(box: Box) -> None:
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    box.render(box.adapted("fakoli-dark"))
    box.compose("up", "--detach", "--wait", "sglang", "fast")

    assert seen(box, "heavy") == [PRO6000.uuid]
    assert seen(box, "fast") == [RTX5090.uuid]


def test_status_tells_which_card_a_container_has(box: Box) -> None:
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    inventory = box.adapted("fakoli-dark")
    box.render(inventory)
    box.anvil_gen("up", "box", "fast")
    # The card has another name by now, and another tier would get it: what runs has what it was given.
    heavy, fast = (inventory["tiers"][name] for name in ("heavy", "fast"))
    heavy["gpus"], fast["gpus"] = fast["gpus"], heavy["gpus"]
    box.render(inventory)
    rows = json.loads(box.anvil_gen("status", "box", "--json", check=False).stdout)["services"]

    assert {row["tier"]: row["cards"] for row in rows} == {"heavy": [], "fast": ["rtx5090"], "router": []}


def test_a_tier_without_a_card_sees_none(box: Box) -> None:
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    box.render(box.adapted("cpu-demo"))
    box.compose("up", "--detach", "small")

    looked = box.engine.run("docker", "exec", box.name("small"), "which", "nvidia-smi", check=False)
    assert (looked.code, looked.stdout) == (1, "")


def test_a_platform_can_ignore_pins(box: Box, engine: Engine) -> None:
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    box.render(box.adapted("fakoli-dark"))
    with engine.ignoring_pins():
        box.compose("up", "--detach", "fast")

    assert seen(box, "fast") == [card.uuid for card in CARDS]


def test_an_unknown_card_is_refused(box: Box) -> None:
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    inventory = box.adapted("fakoli-dark")
    inventory["gpus"]["rtx5090"]["uuid"] = "GPU-00000000-0000-0000-0000-000000000000"
    box.render(inventory)
    done = box.compose("up", "--detach", "fast", check=False)

    assert done.code != 0
    assert "GPU-00000000-0000-0000-0000-000000000000: unknown device" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-L"], ["GPU 0: A (UUID: GPU-a)", "GPU 1: B (UUID: GPU-b)"]),
        (["--query-gpu=uuid,name,memory.total", "--format=csv,noheader"], ["GPU-a, A, 1024 MiB", "GPU-b, B, [N/A]"]),
        (["--query-gpu=index,memory.total", "--format=csv,noheader,nounits"], ["0, 1024", "1, [N/A]"]),
        (["--query-gpu=memory.used, compute_cap", "--format=csv,noheader", "-i", "GPU-a"], ["0 MiB, 12.0"]),
    ],
)
def test_nvidia_smi_answers_as_the_real_one(arguments: list[str], expected: list[str]) -> None:
    program = nvidia_smi([Card("GPU-a", "A", 1024), Card("GPU-b", "B", 0)])
    done = subprocess.run(
        ["sh", "-s", "--", *arguments], input=program, capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stdout.splitlines() == expected


def test_the_host_lists_every_card(machine_path: str, engine: Engine) -> None:
    listed = engine.run("nvidia-smi", "-L", env={"PATH": machine_path}).stdout

    assert [card.uuid in line for card, line in zip(CARDS, listed.splitlines(), strict=True)] == [True] * len(CARDS)
