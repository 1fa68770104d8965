"""What a model says of a service must stand in its file; what a template adds to it may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.render.verify_service import missing_keys
from anvil_gen.resolve.model import EnvVar, ExtraService, HealthCheck, Mount, Port, Reservation, Service
from anvil_gen.values import KeyPath, Symbol

SERVICE = Service(
    name="one",
    container_name="box-one",
    image="image:1",
    entrypoint=("run",),
    command=("--x=$",),
    words=(),
    environment=(EnvVar(name="A", value="$1"), EnvVar(name="B", value=None)),
    ports=(Port(host="127.0.0.1", number="80"),),
    sealed=False,
    mounts=(Mount(source="v", target="/v", volume=True), Mount(source="/b", target="/b", read_only=True)),
    gpus=Reservation(vendor=Symbol("nvidia"), uuids=("GPU-1",)),
    health=HealthCheck(test=("CMD", "x"), interval="1s", timeout="1s", retries=3, start_period="1s"),
    restart="no",
    stop_grace_period="1m",
    shm_size=None,
    ipc=None,
    log_max_size="1m",
    log_max_file="1",
    labels=(("l", "d"),),
    override={"hostname": "h"},
    override_volumes=(),
)
SAID: dict[str, Any] = {
    "container_name": "box-one",
    "image": "image:1",
    "restart": "no",
    "entrypoint": ["run"],
    "command": ["--x=$$"],
    "environment": {"A": "$$1", "B": None, "MORE": "x"},
    "ports": ["127.0.0.1:80:80"],
    "volumes": [
        {"type": "bind", "source": "/b", "target": "/b", "read_only": True},
        {"type": "volume", "source": "v", "target": "/v"},
        {"type": "volume", "source": "more", "target": "/more"},
    ],
    "deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "device_ids": ["GPU-1"]}]}}},
    "healthcheck": {"test": ["CMD", "x"], "interval": "1s", "retries": 3, "timeout": "9s"},
    "labels": {"l": "d", "more": "x"},
    "hostname": "h",
}
WRONG: list[tuple[str, Any, KeyPath]] = [
    ("container_name", "other", ("container_name",)),
    ("image", None, ("image",)),
    ("restart", False, ("restart",)),
    ("entrypoint", [], ("entrypoint",)),
    ("command", ["--x=$"], ("command",)),
    ("environment", {"A": "$$1"}, ("environment",)),
    ("ports", ["80:80"], ("ports",)),
    ("volumes", SAID["volumes"][1:], ("volumes",)),
    ("deploy", {}, ("deploy", "resources", "reservations", "devices")),
    ("healthcheck", {**SAID["healthcheck"], "retries": 4}, ("healthcheck",)),
    ("labels", {"more": "x"}, ("labels",)),
    ("hostname", "other", ()),
]


def diagnostics(kind: str, model: Any, service: Any) -> list[KeyPath]:
    """Return what a file with this service leaves unsaid."""
    return list(missing_keys(Catalog(Path("nowhere")), kind, model, {"services": {"one": service}}))


def test_a_file_may_say_more() -> None:
    assert diagnostics("service", SERVICE, SAID) == []


@pytest.mark.parametrize(("key", "value", "place"), WRONG)
def test_what_is_said_otherwise_is_told(key: str, value: Any, place: KeyPath) -> None:
    assert diagnostics("service", SERVICE, {**SAID, key: value}) == [place]


def test_a_service_that_is_not_there_is_told() -> None:
    extra = ExtraService(name="one", mapping={"image": "x"}, volumes=())

    assert diagnostics("service", SERVICE, None) == [()]
    assert diagnostics("extra", extra, None) == [()]
    assert diagnostics("extra", extra, {"image": "y"}) == [()]
    assert diagnostics("extra", extra, {"image": "x"}) == []
