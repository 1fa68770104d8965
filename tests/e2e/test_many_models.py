"""Several models in one real llama-server, each asked for by its own name through the router."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from e2e import web
from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine

GGUF = "SmolLM2-135M-Instruct.Q4_1"
CAP_DAC_OVERRIDE = 1
"""Its bit in a set of capabilities."""
PRESETS = f"""\
version = 1

[*]
ctx-size = 1024

[colours]
model = /models/{GGUF}.gguf

[org/numbers:Q4]
model = /models/{GGUF}.gguf
"""


@pytest.fixture(scope="module")
def shelves(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Bring up a server with presets, one with a folder, and one that its environment tells its model."""
    with new_box(engine, tmp_path_factory.mktemp("shelves")) as box:
        weights = str(engine.model_folder)
        private = box.folder / "private"
        private.mkdir(mode=0o700)
        copied = private / f"{GGUF}.gguf"
        shutil.copyfile(engine.model_folder / copied.name, copied)
        copied.chmod(0o600)
        for path in (copied, private):
            os.chown(path, 1000, 1000)
        mounted = {"volumes": [f"{weights}:/shelf:ro"]}
        tiers: dict[str, dict[str, Any]] = {
            "preset": {"model": {"presets": "files/presets.ini", "folder": weights}},
            "folder": {"model": {"folder": str(private), "mount": "/weights"}, "served_names": [GGUF]},
            "named": {"environment": {"LLAMA_ARG_MODEL": f"/shelf/{GGUF}.gguf"}, "override": mounted},
        }
        for name, tier in tiers.items():
            override = {**tier.get("override", {}), "healthcheck": {"interval": "1s"}}
            common = {"engine": "llamacpp", "port": box.port(name), "container_name": box.name(name)}
            tiers[name] = {**tier, **common, "flags": {"temp": 0}, "override": override}
        router = {"port": box.port("router"), "container_name": box.name("router")}
        presets = box.folder / "hosts" / "files" / "presets.ini"
        presets.parent.mkdir(parents=True)
        presets.write_text(PRESETS, "utf-8")
        box.render({"schema": 1, "host": {"project": box.project}, "tiers": tiers, "router": router})
        box.anvil_gen("up", "box", "--wait")
        yield box


def client(box: Box) -> openai.OpenAI:
    """Return the official client, pointed at the box's router."""
    direct = openai.DefaultHttpxClient(trust_env=False)
    base = f"http://127.0.0.1:{box.port('router')}/v1"
    return openai.OpenAI(base_url=base, api_key="none", max_retries=0, http_client=direct)


@pytest.mark.parametrize("tier", ["preset", "folder", "named"])
def test_a_server_opens_the_files_of_another_user_and_may_do_nothing_else(shelves: Box, tier: str) -> None:
    held = shelves.engine.docker("exec", shelves.name(tier), "cat", "/proc/1/status", "/proc/self/status")
    words = {key: value.strip() for key, _, value in (line.partition(":") for line in held.splitlines())}

    assert (words["CapEff"], words["CapBnd"], words["NoNewPrivs"]) == (f"{1 << CAP_DAC_OVERRIDE:016x}",) * 2 + ("1",)


def test_the_router_lists_each_model(shelves: Box) -> None:
    found = {model.id: model.owned_by for model in client(shelves).models.list()}

    assert found == {"colours": "preset", "org/numbers:Q4": "preset", GGUF: "folder", "named": "named"}


@pytest.mark.parametrize("model", ["colours", "org/numbers:Q4", GGUF, "named"])
def test_each_model_answers_by_its_own_name(shelves: Box, model: str) -> None:
    answer = client(shelves).chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Name a colour."}], max_tokens=4
    )

    assert answer.model == model
    assert answer.choices[0].message.content


def test_a_preset_sets_what_its_model_runs_with(shelves: Box) -> None:
    answer = web.ask(shelves.port("preset"), "/v1/models")
    models = {model["id"]: model["status"]["args"] for model in json.loads(answer.text)["data"]}
    arguments = models["colours"]

    assert arguments[arguments.index("--ctx-size") + 1] == "1024"
    assert arguments[arguments.index("--model") + 1] == f"/models/{GGUF}.gguf"
    assert models.keys() >= {"colours", "org/numbers:Q4", GGUF}
