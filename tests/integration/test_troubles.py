"""Troubles of docs/troubleshooting.md that no other test is about, and that each names a test which is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from inventories import UUID_A, faults_of
from places import REPOSITORY
from troubleshooting_page import HOST_TEST, VERDICTS, sections

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.docker_conditions import docker_conditions
from anvil_gen.catalog.router_features import OBSERVED, REQUESTABLE
from anvil_gen.deploy.pipeline import Generator

HEAD = f"schema = 1\npaths.models = '/srv/models'\nhfcache.volume = 'hf'\ngpus.a.uuid = '{UUID_A}'\n"
TROUBLES = [one for section in sections() for one in section["trouble"]]


def tier_of(text: str, folder: Path, name: str = "one") -> dict[str, Any]:
    (folder / "box.toml").write_text(HEAD + text, "utf-8")
    plan = Generator().render(folder / "box.toml")
    assert plan.host.warnings == ()
    service: dict[str, Any] = plan.tree.data[f"tiers/{name}.yml"]["services"][name]
    return service


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: str(trouble["see"])[:40])
def test_each_trouble_has_its_verdict_and_its_test(trouble: dict[str, str]) -> None:
    file, _, name = trouble["test"].partition("::")
    text = (REPOSITORY / file).read_text("utf-8")

    assert trouble["verdict"] in VERDICTS
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)
    # A contract's functions are named for what a router can do, and run for each of them.
    assert name.startswith("test_") or (file.startswith("tests/e2e/contract/") and name in OBSERVED | REQUESTABLE)
    assert f"`{trouble['test']}`" in (REPOSITORY / "docs" / "troubleshooting.md").read_text("utf-8")


def test_each_condition_of_a_host_has_its_test() -> None:
    text = (REPOSITORY / HOST_TEST).read_text("utf-8")

    assert [one.code for one in docker_conditions(Catalog()) if f'"{one.code}"' not in text] == []


def test_a_further_mount_takes_none_away(tmp_path: Path) -> None:
    flags = 'flags.allowed-local-media-path = "/media"'
    text = f"[tiers.one]\nengine = 'vllm'\ngpus = ['a']\nmodel.path = 'VL'\n{flags}\n"
    service = tier_of(f'{text}override.volumes = ["/srv/videos:/media:ro"]\n', tmp_path)
    targets = [one["target"] if isinstance(one, dict) else one.split(":")[1] for one in service["volumes"]]

    assert {"/models/VL", "/media"} < set(targets)


@pytest.mark.parametrize(
    ("text", "summary", "remedy"),
    [
        (
            "gpus.i = { vendor = 'intel', uuid = '0' }\n"
            "tiers.one = { engine = 'ollama', gpus = ['i'], model.repo = 'qwen3:8b' }",
            "not for this engine",
            "another engine",
        ),
        (
            "defaults.engine = 'vllm'\ndefaults.gpus = ['a']\ndefaults.gpu_memory_utilization = 0.9\n"
            "defaults.flags.enable-sleep-mode = true\n"
            "tiers.one.model.path = 'a'\ntiers.two = { model.path = 'b', port = 9000 }",
            "shares above the whole GPU",
            "another GPU",
        ),
    ],
)
def test_what_is_not_offered_is_refused_with_a_way(text: str, summary: str, remedy: str, tmp_path: Path) -> None:
    (fault,) = faults_of(HEAD + text, tmp_path)

    assert (fault.summary, remedy in fault.remedy) == (summary, True)


def test_without_a_gpu_the_image_is_for_the_processor(tmp_path: Path) -> None:
    image = tier_of("tiers.one = { engine = 'vllm', model.path = 'a' }", tmp_path)["image"]

    assert image.startswith("vllm/vllm-openai-cpu:")


def test_composes_own_keys_are_added(tmp_path: Path) -> None:
    own = 'cap_add = ["IPC_LOCK"], devices = ["/dev/infiniband"], ulimits = { memlock = -1 }'
    text = f"tiers.one = {{ engine = 'vllm', gpus = ['a'], model.path = 'a', override = {{ {own} }} }}"
    service = tier_of(text, tmp_path)

    assert (service["cap_add"], service["devices"]) == (["IPC_LOCK"], ["/dev/infiniband"])
    assert service["ulimits"] == {"memlock": -1}
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == [UUID_A]


def test_two_machines_hold_one_model(tmp_path: Path) -> None:
    flags = "nnodes = 2, node-rank = 1, headless = true, master-addr = '192.168.100.10'"
    text = (
        "tiers.one = { engine = 'vllm', gpus = ['a'], tensor_parallel = 2, model.path = 'a', "
        f"flags = {{ {flags} }}, override.network_mode = 'host' }}"
    )
    service = tier_of(text, tmp_path)

    assert {"--tensor-parallel-size=2", "--nnodes=2", "--headless"} < set(service["command"])
    assert "healthcheck" not in service


def test_a_tier_on_the_hosts_network_is_out_of_the_routers_reach(tmp_path: Path) -> None:
    text = (
        "router = {}\ntiers.one = { engine = 'vllm', gpus = ['a'], model.path = 'a', override.network_mode = 'host' }"
    )
    (fault,) = faults_of(HEAD + text, tmp_path)

    assert (fault.summary, fault.address) == ("network not shared with the router", "tiers.one.override.network_mode")


# Servers in Python have it; the Dockerfiles of the others install curl, but Ollama's.
PROGRAMS = {
    **dict.fromkeys(("aphrodite", "infinity", "ktransformers", "lmdeploy", "nim", "sglang", "vllm"), "python3"),
    **dict.fromkeys(("llamacpp", "localai", "mistralrs", "speaches", "tabbyapi", "tei", "tgi"), "curl"),
    "ollama": "/bin/ollama",
}


def test_a_health_check_runs_what_its_image_has() -> None:
    catalog = Catalog()
    engines = {name: catalog.engine(name) for name in catalog.names("engines")}
    checks = {name: engine.health for name, engine in engines.items() if engine is not None}
    tests = {name: health.test for name, health in checks.items() if health is not None}

    assert {name: next((word for word in test if word in PROGRAMS.values()), None) for name, test in tests.items()} == {
        name: PROGRAMS[name] for name in tests
    }


def test_the_first_token_may_take_an_hour(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(
        f"{HEAD}router = {{}}\ntiers.one = {{ engine = 'vllm', model.path = 'a' }}", "utf-8"
    )
    files = Generator().render(tmp_path / "box.toml").tree.files

    assert "timeout server 3600s" in files["router/haproxy.cfg"]


def test_a_flag_without_its_value_is_refused(tmp_path: Path) -> None:
    text = "tiers.one = { engine = 'llamacpp', model.file = 'a.gguf', flags.flash-attn = true }"
    (fault,) = faults_of(HEAD + text, tmp_path)

    assert (fault.address, fault.severity) == ("tiers.one.flags.flash-attn", "error")
