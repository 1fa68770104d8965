"""A project that runs is imported from its containers, and taken over: Compose leaves alone what it is said to."""

from __future__ import annotations

import json
import tomllib

from running import anvil_gen

from e2e.box import Box

SOURCE = """name: {project}
services:
  chat:
    image: vllm/vllm-openai:v0.33.0
    entrypoint: [vllm, serve]
    command: /models/gpt-oss-20b --max-model-len 4096 --host 0.0.0.0 --port 8000
    ports: ["127.0.0.1:{port}:8000"]
    environment: {{PRICE: "$$5", HF_HUB_OFFLINE: "1"}}
    volumes: ["{models}:/models:ro", "{project}-hub:/root/.cache/huggingface"]
    ipc: host
    deploy: {{resources: {{reservations: {{devices: [{{driver: nvidia, device_ids: ["0"], capabilities: [gpu]}}]}}}}}}
  side:
    image: python:3.13-slim
    command: ["sleep", "3600"]
    init: true
    restart: unless-stopped
    networks: [inner]
volumes: {{{project}-hub: }}
networks: {{inner: {{internal: true}}}}
"""


def told(box: Box) -> dict[str, str]:
    """Return what a plan against the running containers says of each service."""
    done = box.anvil_gen("plan", "box", "--against", "live", "--format", "json", check=False)
    (host,) = json.loads(done.stdout)["hosts"]
    return {service["service"]: service["consequence"] for service in host["services"]}


def test_a_running_project_is_taken_over(box: Box) -> None:
    (box.folder / "old").mkdir(parents=True)
    (box.folder / "hosts").mkdir()
    source = SOURCE.format(project=box.project, port=box.port("chat"), models=box.engine.model_folder)
    (box.folder / "old" / "compose.yml").write_text(source, "utf-8")
    box.engine.run("docker", "compose", "up", "--detach", cwd=box.folder / "old", env={})
    before = ids(box)

    inventory = box.folder / "hosts" / "box.toml"
    arguments = ("import", "--from", "live", box.project, "--output", str(inventory))
    done = anvil_gen(*arguments, cwd=box.folder, env=box.engine.environment)

    assert done.code == 0, done.stderr
    data = tomllib.loads(inventory.read_text("utf-8"))
    assert data["host"]["project"] == box.project
    assert (data["tiers"]["chat"]["engine"], data["tiers"]["chat"]["context_length"]) == ("vllm", 4096)
    assert data["gpus"] == {"first": {"index": 0}}

    box.anvil_gen("render", "box")
    says = told(box)
    assert says == {"chat": "recreate"}
    box.compose("up", "--detach")
    after = ids(box)
    assert {name for name in before if before[name] != after[name]} == says.keys()
    assert told(box) == {}


def test_what_mounts_relative_values_runs_on(box: Box) -> None:
    source = f"""name: {box.project}
services:
  side:
    image: python:3.13-slim
    command: ["sleep", "3600"]
    init: true
    volumes: ["${{DATA}}:/data"]
"""
    values = "DATA=./data\n"
    old = box.folder / "old"
    old.mkdir(parents=True)
    (box.folder / "hosts").mkdir()
    for name, text in (("compose.yml", source), (".env", values)):
        (old / name).write_text(text, "utf-8")
    box.engine.run("docker", "compose", "up", "--detach", cwd=old, env={})
    before = ids(box)

    arguments = ("import", "old/compose.yml", "--output", "hosts/box.toml")
    done = anvil_gen(*arguments, cwd=box.folder, env=box.engine.environment)

    assert done.code == 0, done.stderr
    box.anvil_gen("render", "box")
    (box.tree / ".env").write_text(values, "utf-8")
    assert told(box) == {}
    box.compose("up", "--detach")
    assert ids(box) == before


def ids(box: Box) -> dict[str, str]:
    """Return the id of each service's container."""
    listed = box.engine.docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={box.project}")
    found = [box.engine.inspect(one) for one in listed.split()]
    return {one["Config"]["Labels"]["com.docker.compose.service"]: one["Id"] for one in found}
