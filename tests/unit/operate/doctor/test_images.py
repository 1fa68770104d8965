"""Images that are there, that will come, and that cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import HANGS, engine, images, subject, told

from anvil_gen.operate.doctor.images import check_images, nowhere, unobtainable

INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[tiers.fast]
engine = "vllm"
image = "vllm/vllm-openai-cpu:v1"
port = 30001
model = { path = "gpt-oss-20b" }
[tiers.also]
engine = "vllm"
image = "vllm/vllm-openai-cpu:v1"
port = 30002
model = { path = "gpt-oss-20b" }
[router]
kind = "anvil"
api_key_env = "KEY"
"""


def test_images(tmp_path: Path) -> None:
    some = subject(tmp_path, INVENTORY, engine(image_inspect=images("vllm/vllm-openai-cpu:v1")))
    found = told(check_images(some))

    assert sorted(found) == [
        ("pass", "image of fast", "vllm/vllm-openai-cpu:v1, 3.0 GiB"),
        ("warn", "image of router", "image is not available yet"),
    ]
    assert told(check_images(subject(tmp_path, INVENTORY))) == []


def test_how_an_image_comes(tmp_path: Path) -> None:
    remedies = [
        check.diagnostic.remedy for check in check_images(subject(tmp_path, INVENTORY, engine())) if check.diagnostic
    ]

    assert any(remedy.endswith("\n    docker pull vllm/vllm-openai-cpu:v1") for remedy in remedies)
    assert any(" && docker compose build router" in remedy for remedy in remedies)


@pytest.mark.parametrize(
    ("more", "verdict", "detail"),
    [
        ({"": "no such manifest: docker.io/vllm/vllm-openai-cpu:v1\n"}, "fail", "cannot be pulled: no such manifest"),
        ({"manifest inspect": "{}"}, "warn", "its registry has it"),
        ({"manifest inspect": HANGS}, "fail", "cannot be pulled: its registry did not answer within 20 seconds"),
    ],
)
def test_an_image_that_did_not_come(more: dict[str, str], verdict: str, detail: str, tmp_path: Path) -> None:
    pulled, built = sorted(unobtainable(subject(tmp_path, INVENTORY, engine() | more)), key=lambda check: check.what)

    assert pulled.diagnostic is not None
    assert built.diagnostic is not None
    assert (pulled.verdict, pulled.diagnostic.address) == (verdict, "tiers.fast.image")
    assert detail in pulled.diagnostic.detail
    assert built.diagnostic.summary == "image was not built"


def test_an_image_whose_variable_is_not_set_is_not_asked_for(tmp_path: Path) -> None:
    unset = INVENTORY.replace('image = "vllm/vllm-openai-cpu:v1"', 'image = { env = "NO_IMAGE" }')
    some = subject(tmp_path, unset, engine(**{"": "invalid reference format"}))

    assert [check.what for check in unobtainable(some)] == ["image of router"]
    assert [check.what for check in check_images(some)] == ["image of router"]


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ({"": "no such manifest: docker.io/vllm/vllm-openai:v1\n"}, ["image of fast"]),
        ({"": "errors:\ndenied: requested access to the resource is denied\n"}, ["image of fast"]),
        ({"": "Get https://registry-1.docker.io/v2/: dial tcp: lookup: no such host\n"}, []),
        ({"": "toomanyrequests: You have reached your pull rate limit\n"}, []),
        ({"manifest inspect": HANGS}, []),
        ({"manifest inspect": "{}"}, []),
    ],
)
def test_before_a_start_only_a_no_counts(answer: dict[str, str], missing: list[str], tmp_path: Path) -> None:
    """An image that is built, as the router's, is no obstacle either."""
    found = nowhere(subject(tmp_path, INVENTORY, engine() | answer))
    assert [check.what for check in found if check.verdict == "fail"] == missing
