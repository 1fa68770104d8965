"""What `docker inspect` says of a container, as a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.importing.containers import read_inspected

IMAGE = {
    "Id": "sha256:1",
    "RootFS": {},
    "Config": {"Env": ["PATH=/bin", "LANG=C"], "Entrypoint": ["vllm", "serve"], "Cmd": None, "Labels": {"base": "x"}},
}
CONTAINER = {
    "Name": "/box-chat-1",
    "Image": "sha256:1",
    "Config": {
        "Image": "vllm/vllm-openai:v0.11.2",
        "Env": ["PATH=/bin", "LANG=C", "PRICE=$5"],
        "Entrypoint": ["vllm", "serve"],
        "Cmd": ["org/m", "--port", "8000"],
        "Hostname": "0123456789ab",
        "Labels": {"base": "x", "mine": "y", "com.docker.compose.project": "box", "com.docker.compose.service": "chat"},
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 30_000_000_000, "Retries": 3},
    },
    "HostConfig": {
        "SecurityOpt": ["label=disable"],
        "Binds": ["/srv/hub:/root/.cache/huggingface:rw", "box_data:/data:rw"],
        "PortBindings": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8001"}]},
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "IpcMode": "host",
        "ShmSize": 67_108_864,
        "Runtime": "runc",
        "NetworkMode": "box_default",
        "DeviceRequests": [{"Driver": "nvidia", "Count": 0, "DeviceIDs": ["1"], "Capabilities": [["gpu"]]}],
        "Memory": 2 << 30,
    },
    "NetworkSettings": {"Networks": {"box_default": {}}},
}


def read(*entries: Any) -> Any:
    return read_inspected(json.dumps(list(entries)), "-", Path())


def test_a_container_is_a_service_without_what_its_image_says() -> None:
    project = read(CONTAINER, IMAGE)

    assert project.name == "box"
    assert project.tables["volumes"] == {"data": {}}
    assert project.tables["services"] == {
        "chat": {
            "image": "vllm/vllm-openai:v0.11.2",
            "environment": {"PRICE": "$$5"},
            "labels": {"mine": "y"},
            "command": ["org/m", "--port", "8000"],
            "healthcheck": {"test": ["CMD", "true"], "interval": "30s", "retries": 3},
            "restart": "unless-stopped",
            "ipc": "host",
            "mem_limit": "2g",
            "ports": ["127.0.0.1:8001:8000"],
            "deploy": {
                "resources": {
                    "reservations": {"devices": [{"driver": "nvidia", "capabilities": ["gpu"], "device_ids": ["1"]}]}
                }
            },
            "volumes": ["/srv/hub:/root/.cache/huggingface", "data:/data"],
        }
    }


@pytest.mark.parametrize("text", ["{", "[]", "3", '[{"Id": "x"}]'])
def test_what_is_no_container_is_reported(text: str) -> None:
    with pytest.raises(DiagnosticError):
        read_inspected(text, "-", Path())


def test_networks_that_compose_made_are_declared_as_docker_has_them() -> None:
    settings: dict[str, Any] = {"Networks": {"box_default": {}, "box_inner": {}, "proxy": {}}}
    networks = {"box_inner": {"Name": "box_inner", "Driver": "bridge", "Internal": True, "Options": {}}}

    entries = json.dumps([CONTAINER | {"NetworkSettings": settings}, IMAGE])
    project = read_inspected(entries, "-", Path(), networks=networks)

    assert project.tables["services"]["chat"]["networks"] == ["inner", "proxy", "default"]
    assert project.tables["networks"] == {"inner": {"internal": True}, "proxy": {"external": True}}
