"""Compose's own forms of ports, health checks, names and logs: said by fields, read by real Compose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compose_cli import compose_config
from inventories import Fault, compared

from anvil_gen.deploy.pipeline import Generator

TIER = 'schema = 1\n[tiers.chat]\nengine = "vllm"\nmodel = { path = "/m/x" }\nport = 30001\n'
ROUTER = '[router]\napi_key_env = "KEY"\n'


def tree_of(folder: Path, text: str) -> Path:
    """Render an inventory into a folder and return that."""
    (folder / "box.toml").write_text(text, "utf-8")
    for path, content in Generator().render(folder / "box.toml").tree.files.items():
        file = folder / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
    return folder / "tree"


def service_of(folder: Path, text: str, name: str = "chat") -> dict[str, Any]:
    """Return a service of a rendered inventory as real Compose reads it."""
    service: dict[str, Any] = compose_config(tree_of(folder, text), env={"KEY": "k"})["services"][name]
    return service


def ports_of(service: dict[str, Any]) -> list[tuple[str | None, str | None, int]]:
    """Return host address, host port and container port of each published port."""
    return [(port.get("host_ip"), port.get("published"), port["target"]) for port in service.get("ports", [])]


@pytest.mark.parametrize(
    ("lines", "ports"),
    [
        ("", [("127.0.0.1", "30001", 30001)]),
        ("container_port = 8000", [("127.0.0.1", "30001", 8000)]),
        ('container_port = 8000\nbind = "all"', [(None, "30001", 8000)]),
        ("bind = false\ncontainer_port = 8000", []),
        ('ports = ["127.0.0.1:9000:9100", "9200/udp", 9300]', [
            ("127.0.0.1", "30001", 30001), ("127.0.0.1", "9000", 9100), (None, None, 9200), (None, None, 9300),
        ]),
        ('bind = false\nports = ["8080"]', [(None, None, 8080)]),
    ],
)  # fmt: skip
def test_ports_are_published_as_they_are_written(
    lines: str, ports: list[tuple[str | None, str | None, int]], tmp_path: Path
) -> None:
    assert ports_of(service_of(tmp_path, TIER + lines)) == ports


def test_the_container_s_port_reaches_command_check_and_route(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, TIER + "container_port = 8000\n" + ROUTER)
    service = compose_config(tree, env={"KEY": "k"})["services"]["chat"]

    assert "--port=8000" in service["command"]
    assert "http://127.0.0.1:8000/health" in service["healthcheck"]["test"][-1]
    assert "chat:8000" in (tree / "router/haproxy.cfg").read_text("utf-8")
    assert "30001" not in (tree / "router/haproxy.cfg").read_text("utf-8")


@pytest.mark.parametrize(
    ("lines", "check"),
    [
        ("healthcheck = false", None),
        ("healthcheck = { disable = true }", {"disable": True}),
        ('healthcheck = { test = ["CMD", "true"] }\nstart_period = false', {"test": ["CMD", "true"]}),
        ('healthcheck.test = "curl localhost"\nstart_period = false', {"test": ["CMD-SHELL", "curl localhost"]}),
        (
            'healthcheck = { test = ["CMD", "true"], retries = 9, start_period = "1m" }',
            {"test": ["CMD", "true"], "retries": 9, "start_period": "1m0s"},
        ),
    ],
)
def test_a_health_check_is_what_the_inventory_says(lines: str, check: dict[str, Any] | None, tmp_path: Path) -> None:
    assert service_of(tmp_path, TIER + lines).get("healthcheck") == check


def test_a_health_check_without_a_test_changes_the_times_of_the_engine_s(tmp_path: Path) -> None:
    plain = service_of(tmp_path, TIER)["healthcheck"]
    changed = service_of(tmp_path, TIER + 'healthcheck.interval = "40s"')["healthcheck"]

    assert changed == {**plain, "interval": "40s"}


@pytest.mark.parametrize(
    ("lines", "absent"),
    [
        ("container_name = false", "container_name"),
        ("logging = false", "logging"),
        ("restart = false", "restart"),
        ("init = false", "init"),
        ("stop_grace_period = false", "stop_grace_period"),
    ],
)
def test_a_habit_is_left_out_where_it_is_not_wanted(lines: str, absent: str, tmp_path: Path) -> None:
    tier = TIER + "flags.shutdown-timeout = false\n"  # which follows from the time that Docker waits
    plain, without = service_of(tmp_path, tier), service_of(tmp_path, tier + lines)

    assert without == {key: value for key, value in plain.items() if key != absent}
    assert absent in plain


@pytest.mark.parametrize("kind", ["haproxy", "litellm", "anvil"])
def test_the_router_leaves_its_habits_out_too(kind: str, tmp_path: Path) -> None:
    lines = (
        f'kind = "{kind}"\ncontainer_name = false\nlogging = false\nrestart = false\ninit = false\n'
        "stop_grace_period = false\n"
    )
    service = service_of(tmp_path, TIER + ROUTER + lines, "router")

    assert not service.keys() & {"container_name", "logging", "restart", "init", "stop_grace_period"}


def test_the_log_may_go_elsewhere(tmp_path: Path) -> None:
    lines = 'logging = { driver = "local", options = { "max-size" = "10m", tag = { env = "TAG", default = "x" } } }'

    logging = service_of(tmp_path, TIER + lines)["logging"]
    assert logging == {"driver": "local", "options": {"max-size": "10m", "tag": "x"}}


def test_the_program_may_be_another(tmp_path: Path) -> None:
    plain = service_of(tmp_path, TIER)
    script = 'exec vllm serve "$@"'
    other = service_of(tmp_path, TIER + f"entrypoint = ['bash', '-c', '{script}', '--']")
    program, arguments = plain["entrypoint"] + plain["command"][:1], plain["command"][2:]

    assert program == ["vllm", "serve"]
    assert other["entrypoint"] == ["bash", "-c", script.replace("$", "$$"), "--"]
    assert other["command"] == ["--model=/models/x", *arguments]
    assert {**plain, "entrypoint": 0, "command": 0} == {**other, "entrypoint": 0, "command": 0}


def test_the_image_s_own_program_gets_the_engine_s_arguments_without_its_subcommand(tmp_path: Path) -> None:
    own = service_of(tmp_path, TIER + "entrypoint = false")
    ollama = TIER.replace("vllm", "ollama").replace('model = { path = "/m/x" }', "model = false")

    assert own["entrypoint"] is None
    assert own["command"][0] == "--model=/models/x"
    assert "serve" not in own["command"]
    assert service_of(tmp_path, ollama)["command"] == ["serve"]
    assert service_of(tmp_path, ollama + "entrypoint = false")["command"] is None


@pytest.mark.parametrize(
    ("engine", "line", "key"),
    [("vllm", "ipc = false", "ipc"), ("sglang", "shm_size = false", "shm_size")],
)
def test_shared_memory_is_left_to_docker_where_that_is_wanted(engine: str, line: str, key: str, tmp_path: Path) -> None:
    tier = TIER.replace("vllm", engine)
    plain, without = service_of(tmp_path, tier), service_of(tmp_path, tier + line)

    assert without == {name: value for name, value in plain.items() if name != key}
    assert key in plain


def test_a_variable_that_an_engine_or_gpu_brings_is_removed(tmp_path: Path) -> None:
    tier = TIER.replace("vllm", "ollama").replace('model = { path = "/m/x" }', 'model = false\ngpus = "all"')
    lines = "environment = { OLLAMA_HOST = false, CUDA_DEVICE_ORDER = false, NONE = false }"
    plain, without = service_of(tmp_path, tier), service_of(tmp_path, tier + lines)

    assert plain["environment"].keys() - without["environment"].keys() == {"OLLAMA_HOST", "CUDA_DEVICE_ORDER"}
    assert without["environment"].keys() <= plain["environment"].keys()


def test_a_removed_variable_of_the_defaults_is_set_again_by_a_tier(tmp_path: Path) -> None:
    defaults = "[defaults.environment]\nA = false\nB = '1'\n"
    text = TIER.replace("[tiers", defaults + "[tiers") + "environment = { A = '2', B = false }"

    assert service_of(tmp_path, text)["environment"] == {"A": "2"}


def test_compiled_kernels_are_not_kept_where_that_is_not_wanted(tmp_path: Path) -> None:
    kept, bare = service_of(tmp_path, TIER), service_of(tmp_path, TIER + "caches = false")

    assert {"/root/.cache/vllm", "/models/x"} <= {mount["target"] for mount in kept["volumes"]}
    assert [mount["target"] for mount in bare["volumes"]] == ["/models/x"]


def test_a_tier_of_one_letter_has_the_name_that_compose_gives(tmp_path: Path) -> None:
    text = TIER.replace("chat", "a") + ROUTER
    service = service_of(tmp_path, text, "a")

    assert "container_name" not in service
    assert "--served-model-name=a" in service["command"]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            TIER + '▸log_max_size = "1m"\nlogging = false',
            [("two fields for one thing", "tiers.chat.log_max_size", "keep")],
        ),
        (
            TIER + ROUTER + 'logging = false\n▸log_max_files = 1',
            [("two fields for one thing", "router.log_max_files", "keep")],
        ),
        (
            TIER + '▸start_period = "1m"\nhealthcheck = { start_period = "2m" }',
            [("two fields for one thing", "tiers.chat.start_period", "keep")],
        ),
        (
            'schema = 1\n[tiers.chat]\nengine = "custom"\nimage = "x:1"\nport = 1\n▸healthcheck = { retries = 2 }',
            [("missing key", "tiers.chat.healthcheck", "test")],
        ),
        (
            TIER + 'bind = "all"\n'
            'flags.api-key = { env = "K" }\n[tiers.two]\nengine = "vllm"\nmodel = { path = "/m/y" }\nport = ▸30001\n'
            'container_port = 8000\n',
            [("port taken twice", "tiers.two.port", "port = 30002")],
        ),
        (
            TIER + '[tiers.two]\nengine = "vllm"\nmodel = { path = "/m/y" }\nport = 30002\nports = [▸"30001:9000"]\n',
            [("port taken twice", "tiers.two.ports[0]", "another")],
        ),
        (TIER + 'ports = [▸"1:2:3:4"]\n', [("not of the right form", "tiers.chat.ports[0]", "")]),
        (TIER + 'ports = [▸"host:2:3"]\n', [("not of the right form", "tiers.chat.ports[0]", "")]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(text: str, faults: list[Fault], tmp_path: Path) -> None:
    told, expected = compared(text, faults, tmp_path)

    assert told == expected


def test_a_port_for_everybody_is_told_where_no_key_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(TIER + 'bind = "all"\n', "utf-8")
    warnings = Generator().render(tmp_path / "box.toml").host.warnings

    assert "tier-without-a-key-beyond-loopback" in [warning.code for warning in warnings]
