"""Containers and services in one form."""

from __future__ import annotations

from typing import Any

import pytest
from inspected import inspected

from anvil_gen.operate.normalize import normalize_container, normalize_service

UUID = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
RESERVED = {"resources": {"reservations": {"devices": [{"device_ids": [UUID]}]}}}


def service(**keys: Any) -> dict[str, Any]:
    """Return a canonical configuration with one service."""
    volumes = {"cache": {"name": "box_cache"}}
    return {
        "name": "box",
        "services": {"fast": {"image": "vllm:1", "container_name": "fast", **keys}},
        "volumes": volumes,
        "secrets": {"key": {"file": "/srv/key"}, "token": {"environment": "TOKEN"}},
        "configs": {"c": {"file": "/srv/c"}},
    }


CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("command", {"Cmd": ["serve", "--a"]}, {"command": ["serve", "--a"]}, {"command": ["serve", "--a"]}),
    (
        "environment",
        {"Env": ["A=1=2", "B"]},
        {"environment": {"A": "1=2", "B": None}},
        {"environment": {"A": "1=2", "B": None}},
    ),
    (
        "labels",
        {"Labels": {"x": "y", "com.docker.compose.project": "box", "anvil-gen.trial.PORT": "1"}},
        {"labels": {"x": "y", "anvil-gen.trial.PORT": "2"}},
        {"labels": {"x": "y"}},
    ),
    (
        "ports",
        {"host": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}}},
        {"ports": [{"host_ip": "127.0.0.1", "target": 80, "published": "8080", "protocol": "tcp"}]},
        {"ports": ["127.0.0.1:8080"]},
    ),
    (
        "ports of a range, and one that Docker chooses",
        {"host": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "80-90"}], "9/tcp": [{"HostPort": ""}]}}},
        {"ports": [{"target": 80, "published": "80-90", "protocol": "tcp"}, {"target": 9, "protocol": "tcp"}]},
        {"ports": [":80-90"]},
    ),
    (
        "restart",
        {"host": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5}}},
        {"restart": "on-failure:5"},
        {"restart": "on-failure:5"},
    ),
    ("no restart", {"host": {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}}, {"restart": "no"}, {}),
    ("shm", {"host": {"ShmSize": 16 << 30}}, {"shm_size": str(16 << 30)}, {"shm_size": 16 << 30}),
    ("shared ipc", {"host": {"IpcMode": "host", "SecurityOpt": ["label=disable"]}}, {"ipc": "host"}, {"ipc": "host"}),
    ("usual shm", {"host": {"ShmSize": 64 << 20}}, {}, {}),
    ("usual ipc", {"host": {"IpcMode": "private"}}, {}, {}),
    ("ipc", {"host": {"IpcMode": "host"}}, {"ipc": "host"}, {"ipc": "host"}),
    ("grace", {"StopTimeout": 60}, {"stop_grace_period": "1m0s"}, {"stop_grace_period": 60}),
    (
        "card",
        {"host": {"DeviceRequests": [{"Driver": "nvidia", "DeviceIDs": [UUID]}]}},
        {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "device_ids": [UUID]}]}}}},
        {"deploy": RESERVED},
    ),
    (
        "card by CDI",
        {"host": {"DeviceRequests": [{"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=0"]}]}},
        {
            "deploy": {
                "resources": {"reservations": {"devices": [{"driver": "cdi", "device_ids": ["nvidia.com/gpu=0"]}]}}
            }
        },
        {"deploy": {"resources": {"reservations": {"devices": [{"device_ids": ["nvidia.com/gpu=0"]}]}}}},
    ),
    (
        "all cards",
        {"host": {"DeviceRequests": [{"Driver": "nvidia", "Count": -1, "DeviceIDs": None}]}},
        {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": -1}]}}}},
        {"deploy": {"resources": {"reservations": {"devices": [{"count": -1}]}}}},
    ),
    (
        "all cards, in an older form",
        {"host": {"DeviceRequests": [{"Driver": "nvidia", "Count": -1}]}},
        {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": "all"}]}}}},
        {"deploy": {"resources": {"reservations": {"devices": [{"count": -1}]}}}},
    ),
    (
        "two cards",
        {"host": {"DeviceRequests": [{"Driver": "nvidia", "Count": 2}]}},
        {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 2}]}}}},
        {"deploy": {"resources": {"reservations": {"devices": [{"count": 2}]}}}},
    ),
    (
        "mounts",
        {
            "Mounts": [
                {"Type": "bind", "Source": "/srv/m", "Destination": "/m", "RW": False},
                {"Type": "volume", "Name": "box_cache", "Source": "/var/x", "Destination": "/c", "RW": True},
                {"Type": "volume", "Name": "0" * 64, "Source": "/var/y", "Destination": "/of-the-image", "RW": True},
            ]
        },
        {
            "volumes": [
                {"type": "volume", "source": "cache", "target": "/c", "volume": {}},
                {"type": "bind", "source": "/srv/m", "target": "/m", "read_only": True, "bind": {}},
            ]
        },
        {
            "volumes": [
                {"type": "bind", "source": "/srv/m", "target": "/m", "read_only": True},
                {"type": "volume", "source": "box_cache", "target": "/c"},
            ]
        },
    ),
    (
        "secrets and configs",
        {
            "Mounts": [
                {"Type": "bind", "Source": "/srv/key", "Destination": "/run/secrets/k", "RW": False},
                {"Type": "bind", "Source": "/srv/c", "Destination": "/c", "RW": False},
            ]
        },
        {
            "secrets": [{"source": "key", "target": "k"}, {"source": "token"}],
            "configs": [{"source": "c"}],
        },
        {
            "volumes": [
                {"type": "bind", "source": "/srv/c", "target": "/c", "read_only": True},
                {"type": "bind", "source": "/srv/key", "target": "/run/secrets/k", "read_only": True},
            ]
        },
    ),
    (
        "health",
        {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 10**10, "StartPeriod": 9 * 10**11, "Retries": 3}},
        {"healthcheck": {"test": ["CMD", "x"], "interval": "10s", "start_period": "15m0s", "retries": 3}},
        {"healthcheck": {"test": ["CMD", "x"], "interval": 10, "start_period": 900, "retries": 3}},
    ),
    (
        "devices",
        {"host": {"Devices": [{"PathOnHost": "/dev/kfd", "PathInContainer": "/dev/kfd", "CgroupPermissions": "rwm"}]}},
        {"devices": ["/dev/kfd:/dev/kfd"]},
        {"devices": ["/dev/kfd:/dev/kfd"]},
    ),
]


@pytest.mark.parametrize(("what", "docker", "compose", "expected"), CASES, ids=[case[0] for case in CASES])
def test_both_sides_have_one_form(
    what: str, docker: dict[str, Any], compose: dict[str, Any], expected: dict[str, Any]
) -> None:
    form = {"image": "vllm:1", "container_name": "fast", **expected}

    assert normalize_container(inspected(**docker), None) == form
    assert normalize_service("fast", service(**compose)) == form


def test_what_the_image_says_is_left_out() -> None:
    image = {"Config": {"Env": ["PATH=/bin"], "Labels": {"maker": "x"}, "Cmd": ["a"], "Entrypoint": ["b"], "User": "1"}}
    one = inspected(Env=["PATH=/bin", "A=1"], Labels={"maker": "x", "own": "y"}, Cmd=["a"], Entrypoint=["b"], User="1")

    assert normalize_container(one, image) == {
        "image": "vllm:1",
        "container_name": "fast",
        "environment": {"A": "1"},
        "labels": {"own": "y"},
    }


def test_a_service_that_says_what_its_image_says_adds_nothing() -> None:
    image = {"Config": {"Cmd": ["a"], "Entrypoint": ["b"], "User": "1"}}
    same = service(command=["a"], entrypoint=["b"], user="1")
    other = service(command=["c"], entrypoint=["b"], user="2")

    assert normalize_service("fast", same, image) == {"image": "vllm:1", "container_name": "fast"}
    assert normalize_service("fast", other, image) == {
        "image": "vllm:1",
        "container_name": "fast",
        "command": ["c"],
        "user": "2",
    }
