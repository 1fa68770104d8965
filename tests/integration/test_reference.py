"""The rendered reference machine, as real Docker Compose reads it, against what its record states."""

from __future__ import annotations

from typing import Any

import pytest
from compose_cli import ComposeError, compose_config
from places import REPOSITORY
from reference_facts import EXPERIMENT, FAST, FAST_UUID, HEAVY, ROUTER

TREE = REPOSITORY / "examples" / "fakoli-dark"
MODEL = {"MODEL": "org/model"}


def split_arguments(service: dict[str, Any], program_length: int) -> tuple[list[str], dict[str, str | None]]:
    """Return what is run, and its flags with their values: the order of flags means nothing."""
    words = [*service["entrypoint"], *service["command"]]
    pairs = [word.partition("=") for word in words[program_length:]]
    return words[:program_length], {flag: value if equals else None for flag, equals, value in pairs}


def devices(service: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the reserved devices of a service."""
    reserved: list[dict[str, Any]] = service["deploy"]["resources"]["reservations"]["devices"]
    return reserved


@pytest.mark.parametrize("facts", [HEAVY, FAST], ids=["heavy", "fast"])
def test_tier_is_what_the_record_states(facts: dict[str, Any]) -> None:
    service = compose_config(TREE, "docker-compose.yml")["services"][facts["service"]]
    program, flags = split_arguments(service, len(facts["program"]))

    assert program == facts["program"]
    assert flags == facts["flags"]
    assert service["container_name"] == facts["container_name"]
    assert service["image"] == facts["image"]
    assert service["restart"] == facts["restart"]
    assert service["environment"] == facts["environment"]
    assert service.get("ipc") == facts["ipc"]
    assert service.get("shm_size") == (None if facts["shm_size"] is None else str(facts["shm_size"]))
    assert [(p["host_ip"], p["published"], p["target"]) for p in service["ports"]] == [
        ("127.0.0.1", str(facts["port"]), facts["port"])
    ]
    assert devices(service) == [{"capabilities": ["gpu"], "driver": "nvidia", "device_ids": [facts["uuid"]]}]
    (bind,) = [mount for mount in service["volumes"] if mount["type"] == "bind"]
    assert (bind["source"], bind["target"], bind["read_only"]) == (*facts["bind"], True)


def test_experiment_is_what_the_record_states() -> None:
    config = compose_config(TREE, "docker-compose.experiment.yml", env=MODEL)
    service = config["services"]["experiment"]
    program, flags = split_arguments(service, len(EXPERIMENT["program"]))

    assert config["name"] == EXPERIMENT["project"]
    assert program == EXPERIMENT["program"]
    assert flags == EXPERIMENT["flags"]
    assert service["container_name"] == "vllm-experiment-30002"
    assert {key: service[key] for key in ("image", "restart", "ipc", "environment")} == {
        key: EXPERIMENT[key] for key in ("image", "restart", "ipc", "environment")
    }
    assert [(p["host_ip"], p["published"], p["target"]) for p in service["ports"]] == [("127.0.0.1", "30002", 30002)]
    assert devices(service)[0]["device_ids"] == [FAST_UUID]
    assert EXPERIMENT["volume"] in [(mount["source"], mount["target"]) for mount in service["volumes"]]
    assert config["volumes"][EXPERIMENT["volume"][0]] == {"name": EXPERIMENT["volume"][0], "external": True}


def test_experiment_takes_its_variables() -> None:
    env = {
        "MODEL": "org/other",
        "SERVED_NAME": "two words",
        "PORT": "31000",
        "GPU_UUID": HEAVY["uuid"],
        "EXTRA_ARGS": "--seed 1 --hf-overrides '{\"a b\": 1}'",
    }
    service = compose_config(TREE, "docker-compose.experiment.yml", env=env)["services"]["experiment"]

    assert service["command"][0:2] == ["serve", "org/other"]
    assert "--served-model-name=two words" in service["command"]
    assert "--port=31000" in service["command"]
    assert service["command"][-4:] == ["--seed", "1", "--hf-overrides", '{"a b": 1}']
    assert service["container_name"] == "vllm-experiment-31000"
    assert "http://127.0.0.1:31000/health" in service["healthcheck"]["test"][-1]
    assert [(p["published"], p["target"]) for p in service["ports"]] == [("31000", 31000)]
    assert devices(service)[0]["device_ids"] == [HEAVY["uuid"]]
    assert service["environment"]["CUDA_VISIBLE_DEVICES"] == HEAVY["uuid"]


def test_experiment_asks_for_its_model() -> None:
    with pytest.raises(ComposeError, match="set MODEL to a model of the hub"):
        compose_config(TREE, "docker-compose.experiment.yml")


@pytest.mark.parametrize(
    ("file", "services"),
    [
        ("docker-compose.yml", {"sglang", "fast", "router"}),
        ("tiers/heavy.yml", {"sglang"}),
        ("tiers/fast.yml", {"fast"}),
        ("router/compose.yml", {"router"}),
    ],
)
def test_each_file_is_accepted_and_is_the_same_project(file: str, services: set[str]) -> None:
    config = compose_config(TREE, file)

    assert set(config["services"]) == services
    assert config["name"] == "anvil-fakoli-dark"


def test_router_can_do_nothing_but_serve() -> None:
    service = compose_config(TREE, "docker-compose.yml", env={ROUTER["key"]: "sesame"})["services"][ROUTER["service"]]

    assert service["container_name"] == ROUTER["container_name"]
    assert service["user"] == "65532:65532"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "depends_on" not in service
    assert [(p["host_ip"], p["published"]) for p in service["ports"]] == [("127.0.0.1", str(ROUTER["port"]))]
    assert service["environment"][ROUTER["key"]] == "sesame"


def test_the_key_is_named_and_nowhere_written() -> None:
    files = (path for path in TREE.rglob("*") if path.is_file() and ".anvil-gen" not in path.parts)
    named = {str(path.relative_to(TREE)) for path in files if ROUTER["key"] in path.read_text("utf-8")}

    compose = {"router/compose.yml", "router/router.toml", ".env.example"}
    assert named == compose | {"kubernetes/router-files.yaml", "kubernetes/base/router.yaml"}
    assert "\nANVIL_ROUTER_TOKEN=\n" in (TREE / ".env.example").read_text("utf-8")


def test_one_fact_reaches_every_place() -> None:
    """The fast tier's port stands in its command, health check and publication, and in what routes to it."""
    service = compose_config(TREE, "docker-compose.yml")["services"]["fast"]

    assert "--port=30001" in service["command"]
    assert "127.0.0.1:30001" in service["healthcheck"]["test"][-1]
    assert 'base_url = "http://fast:30001/v1"' in (TREE / "router" / "router.toml").read_text("utf-8")
    assert "port = 30001" in (TREE / "serves.toml").read_text("utf-8")


def test_file_by_file_it_is_the_same_as_by_its_root() -> None:
    by_file = compose_config(TREE, "router/compose.yml", "tiers/heavy.yml", "tiers/fast.yml")

    assert by_file == compose_config(TREE, "docker-compose.yml")
