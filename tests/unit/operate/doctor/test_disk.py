"""Room for what is still to come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_engine import INFO, engine, images, subject, told

from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.disk import check_disk

# No disk has what these weights could take.
INVENTORY = """schema = 1
[gpus.big]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 1000000000
[hfcache]
volume = "hub"
[tiers.fast]
engine = "vllm"
gpus = ["big"]
port = 30001
model = { repo = "org/Name" }
"""
FOLDER = INVENTORY.replace('volume = "hub"', 'path = "/cache"')
THERE = images("vllm/vllm-openai:v0.33.0")


def host(folder: Path, text: str = INVENTORY, **more: str) -> DoctorContext:
    """Return a host whose Docker keeps all in one folder."""
    (folder / "docker").mkdir(exist_ok=True)
    return subject(folder / "fleet", text, engine(info=json.dumps({"DockerRootDir": "/docker"}), **more), root=folder)


@pytest.mark.parametrize(
    ("text", "more", "verdict"),
    [
        (INVENTORY, {"volume_ls": "hub", "image_inspect": THERE}, "pass"),
        (INVENTORY, {"volume_ls": "", "image_inspect": THERE}, "warn"),
        (FOLDER, {"image_inspect": THERE}, "warn"),
    ],
)
def test_room(text: str, more: dict[str, str], verdict: str, tmp_path: Path) -> None:
    assert [(found, what) for found, what, _ in told(check_disk(host(tmp_path, text, **more)))] == [(verdict, "disk")]


OTHER = "mounts.'/w' = { volume = 'weights' }\n[volumes.weights]\nexternal = true\n"
OWN_HUB = "[volumes.hub]\n"


@pytest.mark.parametrize(
    ("more", "volumes", "verdict"),
    [(OTHER, "hub", "pass"), (OTHER, "weights", "warn"), (OWN_HUB, "box_hub", "pass"), (OWN_HUB, "hub", "warn")],
)
def test_only_the_volume_of_the_cache_holds_the_weights(more: str, volumes: str, verdict: str, tmp_path: Path) -> None:
    found = told(check_disk(host(tmp_path, INVENTORY + more, volume_ls=volumes, image_inspect=THERE)))

    assert [one for one, _, _ in found] == [verdict]


@pytest.mark.parametrize("entry", ["hub/models--org--name", "org_Name_q4.gguf"])
def test_weights_that_are_there_take_no_more_room(entry: str, tmp_path: Path) -> None:
    (tmp_path / "cache" / entry).mkdir(parents=True)

    found = told(check_disk(host(tmp_path, FOLDER, image_inspect=THERE)))

    assert [verdict for verdict, _, _ in found] == ["pass"]


def test_what_is_to_come_is_told(tmp_path: Path) -> None:
    (check,) = check_disk(host(tmp_path))

    assert check.diagnostic is not None
    assert f" GiB free at {tmp_path}/docker; still needed: " in check.diagnostic.detail
    assert check.diagnostic.detail.endswith("25 GiB for images and up to 976562 GiB for the weights of fast")
    assert check.diagnostic.remedy.endswith("\n    docker image prune --all\n    docker builder prune")


@pytest.mark.parametrize("at", ["", "ssh://me@box"])
def test_a_disk_that_is_not_seen(at: str, tmp_path: Path) -> None:
    assert "DockerRootDir" not in INFO
    assert told(check_disk(subject(tmp_path, INVENTORY, engine(), at=at))) == []
