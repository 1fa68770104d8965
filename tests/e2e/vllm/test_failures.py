"""Starts of the real vLLM that fail: its exit codes, and what is made of its own words.

All but one are started at the same time, since each spends nearly all of it in one thread that imports.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine
from e2e.materials import CACHE
from e2e.vllm.servers import START_SECONDS, Vllm, inventory, vllm_log, waited


class Failing(NamedTuple):
    """A tier that does not start: what is done to its copy of the models, its keys, and what is told."""

    spoil: Callable[[Path], object]
    tier: Mapping[str, Any]
    cause: str


def nothing(_: Path) -> None:
    """Leave the models as they are."""


def cut(file: Path) -> None:
    """Put a file with only its beginning in its place, which leaves the other links to it whole."""
    beginning = file.read_bytes()[:100_000]
    file.unlink()
    file.write_bytes(beginning)


FAILING = {
    "no-model": Failing(
        lambda model: (model / "config.json").unlink(),
        {},
        "there is no model in /models/no-model",
    ),
    "no-weights": Failing(
        lambda model: (model / "model.safetensors").unlink(),
        {},
        "/models/no-weights has a config.json and no weights",
    ),
    "cut": Failing(
        lambda model: cut(model / "model.safetensors"),
        {},
        "a file of the weights is cut short or spoilt",
    ),
    "context": Failing(
        nothing,
        {"context_length": 1_000_000},
        "the model itself ends at 8192 tokens, and 1000000 are asked for",
    ),
    "no-adapter": Failing(
        lambda model: (model.parent / "nothing").mkdir(),
        {"lora": {"tuned": "nothing"}},
        "there is no adapter tuned in /models/nothing",
    ),
    "no-template": Failing(
        nothing,
        {"flags": {"chat-template": "/nowhere.jinja"}},
        "inside of the container there is no chat template /nowhere.jinja",
    ),
}


@pytest.fixture(scope="module")
def failed(engine: Engine, vllm: Vllm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Start all tiers, and wait until each has ended."""
    with new_box(engine, tmp_path_factory.mktemp("failing")) as box, TemporaryDirectory(dir=CACHE) as models:
        tiers = {}
        for name, failing in FAILING.items():
            # Links, since a copy of the weights for each would be large.
            folder = Path(shutil.copytree(Path(vllm.models) / "smollm2", Path(models) / name, copy_function=os.link))
            failing.spoil(folder)
            (tier,) = inventory(box, vllm, **failing.tier)["tiers"].values()
            names = {"container_name": box.name(name), "port": box.port(name), "served_name": name}
            # Checks of their health would take more of the processor than they do.
            ended = {"restart": "no", "healthcheck": False, "override": {}}
            tiers[name] = {**tier, **names, **ended, "model": {"path": name}}
        box.render({**inventory(box, vllm), "paths": {"models": models}, "tiers": tiers})
        box.compose("up", "--detach")
        wait_until_ended(box)
        yield box


def wait_until_ended(box: Box) -> None:
    """Wait until no tier runs."""
    deadline = time.monotonic() + 3 * START_SECONDS  # they share the processor
    while running := [name for name in FAILING if box.container(name)["State"]["Running"]]:
        assert time.monotonic() < deadline, running
        time.sleep(1)


@pytest.mark.parametrize("name", FAILING)
def test_its_log_has_the_cause_and_no_other(name: str, failed: Box) -> None:
    known = vllm_log()
    lines = failed.compose("logs", "--no-log-prefix", "--no-color", name).stdout.splitlines()
    causes = {found.cause for line in lines if (found := known.cause(line))}

    assert len(causes) == 1, causes
    assert causes.pop().startswith(FAILING[name].cause)
    assert failed.container(name)["State"]["ExitCode"] == 1


def test_a_flag_that_it_does_not_know_is_told_by_up(box: Box, vllm: Vllm) -> None:
    box.render(inventory(box, vllm, restart="no", flags={"no-such-flag": True}, flag_check=False))
    done = waited(box)

    assert done.code == 1, done.stdout + done.stderr
    assert "known cause: this version of the program does not know: --no-such-flag" in done.stderr
    assert box.container("chat")["State"]["ExitCode"] == 2
