"""What a container that has a tier's reservation sees of the cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.cards import Card
from fake_engine import FakeDocker, engine, images, subject
from fake_machine import nvidia

from anvil_gen.operate.doctor.check import Check
from anvil_gen.operate.doctor.gpu_pinning import check_pins
from anvil_gen.operate.doctor.run import run_checks

UUID = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
OTHER = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"
INVENTORY = f"""schema = 1
[gpus.big]
uuid = "{UUID}"
[paths]
models = "/srv/models"
[tiers.fast]
engine = "vllm"
image = "vllm:1"
gpus = ["big"]
port = 30001
model = {{ path = "gpt-oss-20b" }}
"""
DEVICES = [{"driver": "nvidia", "device_ids": [UUID], "capabilities": ["gpu"]}]
SERVICE = {
    "image": "vllm:1",
    "command": ["serve"],
    "environment": {"API_KEY": "secret", "CUDA_VISIBLE_DEVICES": UUID},
    "volumes": [{"type": "bind", "source": "/srv", "target": "/m"}],
    "deploy": {"resources": {"reservations": {"devices": DEVICES}}},
}


def proof(folder: Path, seen: str | None, *, service: Any = SERVICE, **more: str) -> tuple[Check, FakeDocker]:
    """Return what comes out where a container lists some cards, None being that it does not start."""
    config = {"name": "box", "services": {"fast": service}}
    answers = engine(image_inspect=images("vllm:1"), **more)
    answers["compose --project-name box --profile * config"] = json.dumps(config)
    if seen is not None:
        answers["compose --project-name box-pin-proof"] = seen
    host = subject(folder, INVENTORY, answers)
    (check,) = check_pins(host)
    assert isinstance(host.docker, FakeDocker)
    return check, host.docker


def line(uuid: str) -> str:
    """Return what the listing says of a card."""
    return f"GPU 0: NVIDIA RTX (UUID: {uuid})\n"


@pytest.mark.parametrize(
    ("seen", "service", "verdict", "outcome"),
    [
        (line(UUID), SERVICE, "pass", f"a container sees big ({UUID}) and no other GPU"),
        (line(UUID) + line(OTHER), SERVICE, "warn", "platform ignores GPU pinning"),
        (line(UUID) + line(OTHER), {**SERVICE, "environment": {}}, "fail", "platform ignores GPU pinning"),
        (line(OTHER), SERVICE, "fail", "container sees other GPUs"),
        ("No devices were found\n", SERVICE, "fail", "container sees other GPUs"),
        (None, SERVICE, "fail", "container cannot access the GPUs"),
    ],
)
def test_what_is_seen(seen: str | None, service: Any, verdict: str, outcome: str, tmp_path: Path) -> None:
    check, _ = proof(tmp_path, seen, service=service)

    assert (check.verdict, check.found if check.diagnostic is None else check.diagnostic.summary) == (verdict, outcome)


def test_how_an_engine_is_pinned_all_the_same(tmp_path: Path) -> None:
    check, _ = proof(tmp_path, line(UUID) + line(OTHER), service={**SERVICE, "environment": {}})

    assert check.diagnostic is not None
    assert check.diagnostic.remedy.endswith(f'\n    [tiers.fast]\n    environment.CUDA_VISIBLE_DEVICES = "{UUID}"')


def test_what_is_started_has_the_reservation_and_no_more(tmp_path: Path) -> None:
    _, docker = proof(tmp_path, line(UUID))
    ((service,),) = (json.loads(text)["services"].values() for text in docker.read)

    assert service == {
        "image": "vllm:1",
        "pull_policy": "never",
        "network_mode": "none",
        "entrypoint": ["nvidia-smi"],
        "command": ["-L"],
        "environment": {"CUDA_VISIBLE_DEVICES": UUID, "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"},
        "deploy": SERVICE["deploy"],
    }


def test_an_image_that_is_not_there_is_not_pulled(tmp_path: Path) -> None:
    check, docker = proof(tmp_path, "")
    assert check.verdict == "fail"
    answers = {**docker.answers, "image inspect": "[]"}
    (check,) = check_pins(subject(tmp_path, INVENTORY, answers))

    assert (check.verdict, check.diagnostic and check.diagnostic.summary) == ("warn", "GPU pinning was not measured")


def test_files_that_compose_cannot_read(tmp_path: Path) -> None:
    (check,) = check_pins(subject(tmp_path, INVENTORY, engine() | {"": "no configuration file provided: not found"}))

    assert check.verdict == "warn"
    assert check.diagnostic is not None
    assert "    anvil-gen render " in check.diagnostic.remedy


def test_what_an_interrupt_has_left_is_removed(tmp_path: Path) -> None:
    _, docker = proof(tmp_path, line(UUID), ps="abc\ndef\n")

    assert docker.asked[-1] == ("rm", "--force", "abc", "def")


def test_cards_that_no_program_lists_are_not_measured(tmp_path: Path) -> None:
    text = INVENTORY.replace(f'uuid = "{UUID}"', 'vendor = "intel"\nuuid = "0"').replace('"vllm"', '"llamacpp"')
    answers = engine(image_inspect=images("vllm:1"))
    config = {"name": "box", "services": {"fast": SERVICE}}
    answers["compose --project-name box --profile * config"] = json.dumps(config)
    (check,) = check_pins(subject(tmp_path, text.replace('path = "gpt', 'file = "gpt'), answers))

    assert (check.verdict, check.diagnostic and check.diagnostic.summary) == ("warn", "GPU pinning was not measured")
    assert check.diagnostic is not None
    assert check.diagnostic.remedy.endswith("\n    anvil-gen logs box fast")


def test_nothing_is_started_without_an_engine(tmp_path: Path) -> None:
    assert list(check_pins(subject(tmp_path, INVENTORY))) == []


@pytest.mark.parametrize(
    ("seen", "verdict", "outcome"),
    [
        (line(UUID), "pass", f"a container sees big ({UUID}) and no other GPU"),
        (line(OTHER), "fail", "container sees other GPUs"),
        (line(OTHER) + line(UUID), "fail", "platform ignores GPU pinning"),
    ],
)
def test_a_card_by_index_is_the_one_that_the_host_lists(seen: str, verdict: str, outcome: str, tmp_path: Path) -> None:
    cards = nvidia(Card(OTHER, "NVIDIA RTX", 32607), Card(UUID, "NVIDIA RTX", 97887))
    answers = engine(image_inspect=images("vllm:1"))
    answers["compose --project-name box --profile * config"] = json.dumps(
        {"name": "box", "services": {"fast": {**SERVICE, "environment": {}}}}
    )
    answers["compose --project-name box-pin-proof"] = seen
    text = INVENTORY.replace(f'uuid = "{UUID}"', "index = 1")
    (check,) = check_pins(subject(tmp_path, text, answers, run=cards))

    assert (check.verdict, check.found if check.diagnostic is None else check.diagnostic.summary) == (verdict, outcome)


def test_what_a_runtime_is_told_goes_with_it(tmp_path: Path) -> None:
    service = {
        "image": "vllm:1",
        "runtime": "nvidia",
        "environment": {"API_KEY": "secret", "NVIDIA_VISIBLE_DEVICES": UUID},
    }
    _, docker = proof(tmp_path, line(UUID), service=service)
    ((started,),) = (json.loads(text)["services"].values() for text in docker.read)

    assert started["runtime"] == "nvidia"
    assert started["environment"] == {
        "NVIDIA_VISIBLE_DEVICES": UUID,
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    }


def test_cards_without_names_are_not_measured(tmp_path: Path) -> None:
    answers = engine(image_inspect=images("vllm:1"))
    context = subject(tmp_path, INVENTORY.replace('["big"]', '"all"'), answers)

    assert list(check_pins(context)) == []
    unchecked = run_checks(context, probe=True).unchecked
    assert "the GPUs of fast: the inventory does not name them" in unchecked
