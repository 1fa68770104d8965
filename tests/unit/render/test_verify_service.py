"""What the model has of a service must be in its file; a template may add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.render.verify_service import expected_service, first_difference
from anvil_gen.resolve.gpu_model import Reservation
from anvil_gen.resolve.model import Declared, EnvFile, EnvVar, ExtraService, HealthCheck, Logging, Mount, Port, Service
from anvil_gen.values import ComposeText, KeyPath, Number

NOTHING = Declared(volumes={}, networks={})
SERVICE = Service(
    name="one",
    container_name="box-one",
    image="image:1",
    build={"context": ComposeText("../..")},
    entrypoint=("run",),
    command=("--x=$",),
    shell_words=(),
    environment=(EnvVar(name="A", value="$1"), EnvVar(name="B", value=None)),
    env_file=(EnvFile(path="a$.env", required=True), EnvFile(path="b.env", required=False)),
    ports=(Port(host="127.0.0.1", number="81", target="80"),),
    further_ports=("9:90/udp",),
    sealed=False,
    mounts=(Mount(source="v", target="/v", volume=True), Mount(source="/b", target="/b", read_only=True)),
    gpus=Reservation(vendor="nvidia", driver="nvidia", runtime="", device_ids=("GPU-1",), count=None),
    health=HealthCheck(test=("CMD", "x"), interval="1s", timeout="2s", retries=3, start_period="4s"),
    restart="no",
    init=True,
    stop_grace_period="1m",
    shm_size=None,
    ipc=None,
    logging=Logging(driver="json-file", options={"max-size": "1m", "max-file": "1"}),
    labels=(("l", "d"),),
    override={"hostname": ComposeText("h"), "environment": {"C": 1, "D": True, "E": Number("0.5"), "F": Number("nan")}},
    networks=(),
    declared=Declared(volumes={"v": {}}, networks={}),
    override_declared=NOTHING,
)
FILE: dict[str, Any] = {
    "container_name": "box-one",
    "image": "image:1",
    "build": {"context": "../.."},
    "env_file": ["a$$.env", {"path": "b.env", "required": False}],
    "restart": "no",
    "init": True,
    "stop_grace_period": "1m",
    "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "1"}},
    "entrypoint": ["run"],
    "command": ["--x=$$"],
    "environment": {"A": "$$1", "B": None, "C": 1, "D": True, "E": 0.5, "F": float("nan"), "MORE": "x"},
    "ports": ["127.0.0.1:81:80", "9:90/udp"],
    "volumes": [
        {"type": "bind", "source": "/b", "target": "/b", "read_only": True, "bind": {"create_host_path": False}},
        {"type": "volume", "source": "v", "target": "/v"},
        {"type": "volume", "source": "more", "target": "/more"},
    ],
    "deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "device_ids": ["GPU-1"]}]}}},
    "healthcheck": {"test": ["CMD", "x"], "interval": "1s", "retries": 3, "timeout": "2s", "start_period": "4s"},
    "labels": {"l": "d", "more": "x"},
    "hostname": "h",
}
TEXTS = [
    # A value of the environment as the file has it, which is not the model's.
    ("A", "$1"),
    ("A", "$$1 "),
    ("A", None),
    ("B", ""),
    ("C", True),
    ("C", 1.0),
    ("C", "1"),
    ("D", 1),
    ("E", "0.5"),
    ("F", None),
]
WRONG: list[tuple[str, Any, KeyPath]] = [
    ("container_name", "other", ("container_name",)),
    ("image", None, ("image",)),
    ("build", {"context": ".."}, ("build", "context")),
    ("env_file", ["a$.env", FILE["env_file"][1]], ("env_file", 0)),
    ("env_file", ["a$$.env", "b.env"], ("env_file", 1)),
    ("restart", False, ("restart",)),
    ("stop_grace_period", "2m", ("stop_grace_period",)),
    ("ipc", "host", ("ipc",)),
    ("shm_size", "1g", ("shm_size",)),
    ("entrypoint", [], ("entrypoint",)),
    ("entrypoint", "run", ("entrypoint",)),
    ("command", ["--x=$"], ("command", 0)),
    ("command", "--x=$$", ("command",)),
    ("ports", ["80:80", "9:90/udp"], ("ports", 0)),
    ("ports", [*FILE["ports"], "1:1"], ("ports",)),
    ("volumes", FILE["volumes"][1:], ("volumes",)),
    ("volumes", [{**mount, "read_only": True} for mount in FILE["volumes"]], ("volumes",)),
    ("deploy", {}, ("deploy", "resources", "reservations", "devices")),
    ("healthcheck", {**FILE["healthcheck"], "retries": 4}, ("healthcheck", "retries")),
    ("healthcheck", {**FILE["healthcheck"], "test": "x"}, ("healthcheck", "test")),
    ("logging", {"driver": "none"}, ("logging", "driver")),
    ("logging", {"driver": "json-file"}, ("logging", "options", "max-size")),
    ("labels", {"more": "x"}, ("labels", "l")),
    ("labels", ["l=d"], ("labels",)),
    ("hostname", "other", ("hostname",)),
    *(("environment", {**FILE["environment"], name: value}, ("environment", name)) for name, value in TEXTS),
]


def difference(kind: str, model: Any, service: Any) -> KeyPath | None:
    """Return where a file with this service differs from the model."""
    expected = expected_service(Catalog(Path("nowhere")), kind, model)
    return first_difference({"services": {"one": service}, "volumes": {"v": {}}}, expected)


def test_a_file_may_hold_more() -> None:
    assert difference("service", SERVICE, FILE) is None


@pytest.mark.parametrize(("key", "value", "place"), WRONG)
def test_another_value_is_found_at_its_key(key: str, value: Any, place: KeyPath) -> None:
    assert difference("service", SERVICE, {**FILE, key: value}) == ("services", "one", *place)


@pytest.mark.parametrize("key", [key for key in FILE if key != "init"])
def test_a_key_that_is_not_there_is_found(key: str) -> None:
    place = difference("service", SERVICE, {name: value for name, value in FILE.items() if name != key})

    assert place is not None
    assert place[:3] == ("services", "one", key)


ABSENT = ["image", "build", "env_file", "entrypoint", "command", "ports", "healthcheck"]


@pytest.mark.parametrize("key", ABSENT)
def test_a_key_that_the_model_does_not_have_is_found(key: str) -> None:
    bare = replace(
        SERVICE, image="", build={}, env_file=(), entrypoint=(), command=(), ports=(), further_ports=(), health=None
    )
    file = {name: value for name, value in FILE.items() if name not in ABSENT}

    assert difference("service", bare, file) is None
    assert difference("service", bare, {**file, key: FILE[key]}) == ("services", "one", key)


def test_gpus_are_reserved_only_where_the_model_does() -> None:
    bare = replace(SERVICE, gpus=None)
    place = ("services", "one", "deploy", "resources", "reservations", "devices")

    assert difference("service", bare, FILE) == place
    assert difference("service", bare, {**FILE, "deploy": {"resources": {"limits": {"cpus": "1"}}}}) is None


def test_an_override_has_the_last_word() -> None:
    limits = {"resources": {"limits": {"cpus": ComposeText("1")}}}
    model = replace(SERVICE, override={"image": ComposeText("$X"), "volumes": [ComposeText("/a:/a")], "deploy": limits})
    devices = FILE["deploy"]["resources"]["reservations"]
    file = {
        **FILE,
        "image": "$X",
        "volumes": [*FILE["volumes"], "/a:/a"],
        "deploy": {"resources": {"limits": {"cpus": "1"}, "reservations": devices}},
    }

    assert difference("service", model, file) is None
    assert difference("service", model, {**file, "image": "image:1"}) == ("services", "one", "image")
    assert difference("service", model, {**file, "volumes": FILE["volumes"]}) == ("services", "one", "volumes")
    assert difference("service", model, {**file, "deploy": limits}) == (
        *("services", "one", "deploy", "resources", "reservations"),
        "devices",
    )


def test_a_sealed_service_is_on_the_internal_network_alone() -> None:
    sealed = replace(SERVICE, sealed=True, networks=("internal",))

    assert difference("service", sealed, FILE) == ("services", "one", "networks")
    assert difference("service", sealed, {**FILE, "networks": ["internal", "default"]}) == (
        *("services", "one"),
        "networks",
    )
    assert difference("service", sealed, {**FILE, "networks": ["internal"]}) == ("networks", "internal", "internal")


def test_a_further_service_is_what_the_inventory_has() -> None:
    extra = ExtraService(name="one", mapping={"image": ComposeText("x"), "tty": True}, declared=NOTHING, files=())

    assert difference("service", SERVICE, None) == ("services", "one")
    assert difference("extra", extra, None) == ("services", "one")
    assert difference("extra", extra, {"image": "y", "tty": True}) == ("services", "one", "image")
    assert difference("extra", extra, {"image": "x", "tty": 1}) == ("services", "one", "tty")
    assert difference("extra", extra, {"image": "x"}) == ("services", "one", "tty")
    assert difference("extra", extra, {"image": "x", "tty": True}) is None
