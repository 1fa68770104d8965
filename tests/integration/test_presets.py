"""The presets of the onboarding template: each renders, with models that fit the cards."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_cli import compose_config
from onboarding import (
    B580,
    GTX1080,
    PRO6000,
    REPOSITORY,
    RTX5090,
    RX7900,
    copy_here,
    macros,
)
from running import anvil_gen

from anvil_gen.catalog.catalog import Catalog

TWO_3090 = (
    "NVIDIA GeForce RTX 3090, 24576 MiB, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01, 8.6\n"
    "NVIDIA GeForce RTX 3090, 24576 MiB, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a02, 8.6"
)
PRESETS = {
    "chat": {"preset": "chat", "gpus": RTX5090},
    "chat-amd": {"preset": "chat", "gpus": RX7900},
    "chat-intel": {"preset": "chat", "gpus": B580},
    "chat-old-card": {"preset": "chat", "gpus": GTX1080},
    "coder-fast": {"preset": "coder-fast", "gpus": f"{RTX5090}\n{PRO6000}"},
    "coder-fast-wsl2": {"preset": "coder-fast", "gpus": f"{RTX5090};{PRO6000}", "platform": "wsl2"},
    "chat-two": {"preset": "chat-two", "gpus": TWO_3090},
    "chat-ui": {"preset": "chat-ui", "gpus": TWO_3090},
    "chat-ui-no-card": {"preset": "chat-ui"},
    "chat-ui-lan": {"preset": "chat-ui", "lan": "true", "address": "192.168.1.20"},
    "embed-rerank": {"preset": "embed-rerank", "gpus": RTX5090},
    "embed-rerank-no-card": {"preset": "embed-rerank"},
    "cpu-demo": {"preset": "cpu-demo"},
    "own-file": {"preset": "own", "models": "/srv/models", "own_model": "a b/c.gguf"},
    "own-folder": {"preset": "own", "models": "/srv/models", "own_model": "qwen", "gpus": RTX5090},
    "windows": {"preset": "own", "platform": "wsl2", "models": "C:\\Users\\Zoë\\models", "own_model": "x.gguf"},
    "cache-folder": {"preset": "chat", "gpus": RTX5090, "hfcache": "/srv/hugging face"},
    "no-router": {"preset": "cpu-demo", "router": "none"},
    "no-key": {"preset": "cpu-demo", "api_key_env": ""},
    **{f"router-{name}": {"preset": "cpu-demo", "router": name} for name in Catalog().names("routers")},
}


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_renders_and_compose_accepts_it(plain: Path, name: str, tmp_path: Path) -> None:
    assert copy_here(plain, tmp_path / "fleet", **PRESETS[name]) == ""
    rendered = anvil_gen("render", "--all", cwd=tmp_path / "fleet")

    assert (rendered.code, rendered.stderr) == (0, "")
    model = compose_config(tmp_path / "fleet/deploy/box", env={"ROUTER_TOKEN": "x"})
    inventory = tomllib.loads((tmp_path / "fleet/hosts/box.toml").read_text("utf-8"))
    services = {name for name in model["services"] if name != "router-reload"}
    assert services == {*inventory["tiers"], *inventory.get("services", {})} | ({"router"} & set(inventory))
    assert ("router" in inventory) == (name != "no-router")


def test_two_cards_hold_one_model(plain: Path, tmp_path: Path) -> None:
    assert copy_here(plain, tmp_path / "fleet", preset="chat-two", gpus=TWO_3090) == ""
    tier = tomllib.loads((tmp_path / "fleet/hosts/box.toml").read_text("utf-8"))["tiers"]["chat"]

    assert tier["gpus"] == ["rtx3090-0", "rtx3090-1"]
    assert tier["model"]["repo"] == "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8"  # too much for one of them
    told = copy_here(plain, tmp_path / "unlike", preset="chat-two", gpus=f"{RTX5090}\n{PRO6000}")
    assert "it needs two GPUs with the same memory" in told


def test_a_web_page_finds_both_models(plain: Path, tmp_path: Path) -> None:
    for name, lan in (("alone", "false"), ("reached", "true")):
        fleet = tmp_path / name
        copy_here(plain, fleet, preset="chat-ui", gpus=TWO_3090, lan=lan)
        assert anvil_gen("render", "box", cwd=fleet).code == 0
        services = compose_config(fleet / "deploy/box", env={"ROUTER_TOKEN": "k"})["services"]
        page = services["open-webui"]

        assert page["environment"]["OPENAI_API_BASE_URL"] == "http://router:8000/v1"
        assert page["environment"]["RAG_EMBEDDING_MODEL"] == "embed"
        assert {page["environment"][name] for name in ("OPENAI_API_KEY", "RAG_OPENAI_API_KEY")} == {"k"}
        assert page["depends_on"]["router"]["condition"] == "service_healthy"
        published = {"host_ip": "127.0.0.1"} if lan == "false" else {}
        assert [port.get("host_ip") for port in page["ports"]] == [published.get("host_ip")]
        assert {"chat", "embed"} <= services.keys()


def test_the_empty_preset_shows_how_a_tier_is_written(plain: Path, tmp_path: Path) -> None:
    copy_here(plain, tmp_path / "fleet", preset="empty", gpus=RTX5090)
    first = anvil_gen("render", "box", cwd=tmp_path / "fleet")
    assert (first.code, first.stderr.partition("\n")[0]) == (0, "warning: no tiers")
    assert not compose_config(tmp_path / "fleet/deploy/box")["services"]

    inventory = tmp_path / "fleet/hosts/box.toml"
    head, sample = inventory.read_text("utf-8").split("# [tiers.chat]")
    inventory.write_text(head + "[tiers.chat]" + sample.replace("\n# ", "\n"), "utf-8")

    assert anvil_gen("render", "box", cwd=tmp_path / "fleet").code == 0
    assert compose_config(tmp_path / "fleet/deploy/box", env={"ROUTER_TOKEN": "x"})


@cache
def catalog() -> dict[str, Any]:
    """Return the table of models."""
    table: dict[str, Any] = yaml.safe_load((REPOSITORY / "templates/onboard/models.yml").read_text("utf-8"))
    return dict(table["catalog"]["default"])


def needed_mib(kind: str, engine: str, repo: str) -> float:
    """Return the memory of the card that a model of the table needs."""
    costs = catalog()["engines"][engine]
    (model,) = [model for model in catalog()[kind][engine] if model["repo"] == repo]
    cache = model["context"] * model["kv_kib"] / 1024**2
    return float((model["weights_gib"] + cache + costs["overhead_gib"]) / costs["share"] * 1024)


@pytest.mark.parametrize("reserve", [0, 8192])
@pytest.mark.parametrize("vendor", ["nvidia", "amd", "intel"])
def test_the_first_model_that_fits_a_card_is_chosen(vendor: str, reserve: int) -> None:
    presets = macros("presets.jinja")
    for memory in range(1024, 200_000, 1511):
        card = {"name": "x", "vendor": vendor, "memory_mib": memory, "reserve_mib": reserve, "compute_capability": ""}
        said = json.loads(presets.presets_of([card, card], catalog()))
        for kind, tier in (("chat", said["chat"][0]), ("coder", said["coder-fast"][0])):
            engine = "vllm" if vendor == "nvidia" else "llamacpp"
            fitting = [
                model["repo"]
                for model in catalog()[kind][engine]
                if needed_mib(kind, engine, model["repo"]) <= memory - reserve
            ]
            assert fitting[:1] == ([tier["repo"]] if isinstance(tier, dict) else []), (kind, memory)
            if isinstance(tier, dict) and "gpu_memory_utilization" in tier:
                assert tier["gpu_memory_utilization"] * memory <= memory - reserve


@pytest.mark.parametrize(
    ("gib", "models"),
    [
        (6, ["Qwen/Qwen2.5-Coder-3B-Instruct-AWQ", "Qwen/Qwen3-0.6B"]),
        (24, ["Qwen/Qwen2.5-Coder-14B-Instruct-AWQ", "openai/gpt-oss-20b"]),
        (96, ["Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", "openai/gpt-oss-120b"]),
    ],
)
def test_models_fit_their_cards(plain: Path, gib: int, models: list[str], tmp_path: Path) -> None:
    mib = int(gib * 1024 * 0.99)  # nvidia-smi tells some less than what is sold
    cards = ";".join(f"x, {mib} MiB, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a0{number}" for number in range(2))
    assert copy_here(plain, tmp_path / "fleet", gpus=cards) == ""
    tiers = tomllib.loads((tmp_path / "fleet/hosts/box.toml").read_text("utf-8"))["tiers"]

    assert [tier["model"]["repo"] for tier in tiers.values()] == models


def test_better_models_stand_first() -> None:
    for kind in ("chat", "coder"):
        for engine, models in catalog()[kind].items():
            needs = [needed_mib(kind, engine, model["repo"]) for model in models]
            assert needs == sorted(needs, reverse=True), (kind, engine)


def test_a_card_without_memory_gets_no_model(plain: Path, tmp_path: Path) -> None:
    line = "NVIDIA GB10, [N/A], GPU-d0f446cf-1771-414c-e116-a39138798a8c, 12.1"
    refused = copy_here(plain, tmp_path / "refused", gpus=line, preset="chat")

    assert "the memory of gb10 is not known: add it to its line, like 24576 MiB" in refused
    assert "a part of that, like 122880 MiB, reserve 12288 MiB" in refused
    assert not (tmp_path / "refused").exists()
    stated = line.replace("[N/A]", "120 GB, reserve 12288 MiB")
    assert copy_here(plain, tmp_path / "stated", gpus=stated, preset="chat") == ""
    (gpu,) = tomllib.loads((tmp_path / "stated/hosts/box.toml").read_text("utf-8"))["gpus"].values()
    assert (gpu["memory_mib"], gpu["reserve_mib"]) == (120 * 1024, 12288)
    assert copy_here(plain, tmp_path / "fleet", gpus=line) == ""
    assert "gpus = " not in (tmp_path / "fleet/hosts/box.toml").read_text("utf-8")


@pytest.mark.parametrize("preset", ["chat", "coder-fast", "embed-rerank", "own", "cpu-demo", "empty"])
def test_every_preset_is_documented_and_offered(preset: str) -> None:
    page = (REPOSITORY / "docs/onboarding.md").read_text("utf-8").partition("\n## Presets\n")[2].partition("\n## ")[0]
    asked = yaml.safe_load((REPOSITORY / "copier.yml").read_text("utf-8").rpartition("\n---\n")[2])["preset"]
    offered = {choice["value"] if isinstance(choice, dict) else choice for choice in asked["choices"].values()}

    assert f"| `{preset}` |" in page
    assert preset in offered
