"""The real router, of the version that the generated image installs, reads what is generated for it."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import anvil_serving.router.config as router_config
import pytest
import yaml
from anvil_serving import serves
from free_ports import free_port
from places import REPOSITORY
from reference_facts import FAST, HEAVY, ROUTER, ROUTES

from anvil_gen.deploy.pipeline import Generator

TREE = REPOSITORY / "examples" / "fakoli-dark"


def test_the_installed_router_is_the_generated_version() -> None:
    build = TREE / "router" / "build"
    pinned = re.search(
        r"^anvil-serving==(\S+) --hash=sha256:[0-9a-f]{64}$", (build / "requirements.txt").read_text(), re.M
    )

    assert pinned is not None
    assert pinned[1] == importlib.metadata.version("anvil-serving")
    assert "--require-hashes --requirement /requirements.txt" in (build / "Dockerfile").read_text()


def test_router_loads_its_config() -> None:
    config = router_config.load(str(TREE / "router" / "router.toml"))
    server = router_config.load_server_config(str(TREE / "router" / "router.toml"))

    assert dict(config.model_routes) == ROUTES
    assert server.auth_env == ROUTER["key"]
    assert [(tier.id, tier.base_url, tier.model) for tier in config.tiers] == [
        ("heavy", "http://sglang:30000/v1", "qwen35-awq-local"),
        ("fast", "http://fast:30001/v1", "gpt-oss-20b"),
    ]
    assert [(tier.context_limit, tier.tool_support, tier.health_path) for tier in config.tiers] == [
        (131072, True, "/health"),
        (65536, True, "/health"),
    ]


def test_router_loads_the_manifest() -> None:
    entries = serves.load_manifest(str(TREE / "serves.toml"))

    assert [(entry["name"], entry["container"], entry["port"], entry["model"]) for entry in entries] == [
        ("heavy", HEAVY["container_name"], 30000, "qwen35-awq-local"),
        ("fast", FAST["container_name"], 30001, "gpt-oss-20b"),
    ]
    assert [entry["stack"] for entry in entries] == ["fakoli-dark", "fakoli-dark"]
    assert entries[0]["up"] == ["docker", "compose", "-f", f"{TREE}/docker-compose.yml", "up", "-d", "sglang"]


def router_command(port: int) -> list[str]:
    """Return the command of the generated service, with this machine's paths and a free port of loopback."""
    service = yaml.safe_load((TREE / "router" / "compose.yml").read_text("utf-8"))["services"]["router"]
    here = {"/etc/anvil": str(TREE / "router"), "0.0.0.0": "127.0.0.1", "--port=8000": f"--port={port}"}
    arguments = []
    for argument in service["command"]:
        for old, new in here.items():
            argument = argument.replace(old, new)  # noqa: PLW2901
        arguments.append(argument)
    return [sys.executable, "-c", "import sys; from anvil_serving.cli import main; sys.exit(main())", *arguments]


def ask(port: int, path: str, key: str | None = None) -> tuple[int, Any]:
    """Return status and JSON answer of the router; 0 while nobody listens."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if key is not None:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None
    except OSError:
        return 0, None


def test_router_does_not_start_without_its_key(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    result = subprocess.run(
        router_command(free_port()), env=env, capture_output=True, text=True, check=False, timeout=300
    )

    assert result.returncode != 0
    assert ROUTER["key"] in result.stderr


def test_router_serves_every_name_behind_its_key(tmp_path: Path) -> None:
    port = free_port()
    env = {"HOME": str(tmp_path), str(ROUTER["key"]): "sesame"}
    with subprocess.Popen(router_command(port), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as router:
        try:
            deadline = time.monotonic() + 120
            while ask(port, "/healthz")[0] == 0 and time.monotonic() < deadline and router.poll() is None:
                time.sleep(0.05)
            health, _ = ask(port, "/healthz")
            refused, _ = ask(port, "/v1/models", "wrong")
            status, models = ask(port, "/v1/models", "sesame")
        finally:
            router.terminate()

    assert (health, refused, status) == (200, 401, 200)
    assert {model["id"] for model in models["data"]} == set(ROUTES)


@pytest.mark.parametrize("path", sorted((TREE / "router").rglob("*.yml")), ids=str)
def test_every_mounted_file_is_named_by_its_digest(path: Path) -> None:
    """Compose does not look into mounted files: without the label a changed config would go on running."""
    for service in yaml.safe_load(path.read_text("utf-8"))["services"].values():
        mounted = [m["source"] for m in service.get("volumes", ()) if m["source"].startswith("./")]
        labelled = {f"./{key.removeprefix('anvil-gen.file.')}" for key in service.get("labels", ())}

        assert set(mounted) <= labelled


@pytest.mark.parametrize(
    ("host", "router", "missing"),
    [
        ("", "", {"serves.toml"}),  # its reader refuses a project that is not named anvil-<stack>
        ('[host]\nproject = "anvil-box"', "", set()),
        ('[host]\nproject = "anvil-box"', 'image = "my/router:1"', {"router/build/Dockerfile"}),
    ],
)
def test_only_files_of_use_are_rendered(host: str, router: str, missing: set[str], tmp_path: Path) -> None:
    tier = '[tiers.fast]\nengine = "vllm"\nmodel = { path = "/m/x" }'
    text = f'schema = 1\n{host}\n{tier}\n[router]\nkind = "anvil"\n{router}\n'
    inventory = tmp_path / "box.toml"
    inventory.write_text(text, "utf-8")
    files = set(Generator().render(inventory).tree.files)

    assert {"serves.toml", "router/build/Dockerfile", "router/router.toml"} - files == missing
