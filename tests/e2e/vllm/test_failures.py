"""Starts of the real vLLM that fail: what `up --wait` makes of its own words, and its exit codes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from e2e.box import Box
from e2e.materials import CACHE
from e2e.vllm.servers import Vllm, exit_code, inventory, waited


class Failing(NamedTuple):
    """A tier that does not start: what is done to a copy of the models, its keys, and what is told."""

    spoil: Callable[[Path], object]
    tier: dict[str, Any]
    cause: str
    code: int = 1


def nothing(_: Path) -> None:
    """Leave the models as they are."""


def cut(file: Path) -> None:
    """Put a file with only its beginning in its place, which leaves the other links to it whole."""
    beginning = file.read_bytes()[:100_000]
    file.unlink()
    file.write_bytes(beginning)


@pytest.fixture
def models(vllm: Vllm) -> Iterator[Path]:
    """Return a folder with the models, whose files may be removed and replaced."""
    with TemporaryDirectory(dir=CACHE) as folder:
        yield Path(shutil.copytree(vllm.models, Path(folder) / "models", copy_function=os.link))


FAILING = {
    "unknown flag": Failing(
        nothing,
        {"flags": {"no-such-flag": True}, "flag_check": False},
        "this version of the program does not know: --no-such-flag",
        code=2,
    ),
    "value": Failing(
        nothing,
        {"flags": {"max-lora-rank": 24}, "flag_check": False},
        "the program does not take the value of --max-lora-rank",
        code=2,
    ),
    "model": Failing(
        lambda models: (models / "smollm2" / "config.json").unlink(),
        {},
        "there is no model in /models/smollm2",
    ),
    "weights": Failing(
        lambda models: (models / "smollm2" / "model.safetensors").unlink(),
        {},
        "/models/smollm2 has a config.json and no weights",
    ),
    "whole weights": Failing(
        lambda models: cut(models / "smollm2" / "model.safetensors"),
        {},
        "a file of the weights is cut short or spoilt",
    ),
    "context": Failing(
        nothing,
        {"context_length": 1_000_000},
        "the model itself ends at 8192 tokens, and 1000000 are asked for",
    ),
    "adapter": Failing(
        lambda models: (models / "adapter" / "adapter_config.json").unlink(),
        {"lora": {"tuned": "adapter"}},
        "there is no adapter tuned in /models/adapter",
    ),
    "chat template": Failing(
        nothing,
        {"flags": {"chat-template": "/nowhere.jinja"}},
        "inside of the container there is no chat template /nowhere.jinja",
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_the_cause_is_told(name: str, box: Box, vllm: Vllm, models: Path) -> None:
    failing = FAILING[name]
    failing.spoil(models)
    data = inventory(box, vllm, restart="no", **failing.tier)
    box.render({**data, "paths": {"models": str(models)}})
    done = waited(box)

    assert done.code == 1, done.stdout + done.stderr
    assert f"known cause: {failing.cause}" in done.stderr
    assert exit_code(box) == failing.code
