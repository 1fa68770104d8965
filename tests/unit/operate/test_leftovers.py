"""Containers whose service has left the inventory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_engine import FakeDocker, subject
from inspected import inspected
from msgspec.structs import replace

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine.containers import Container
from anvil_gen.operate.leftovers import leftovers, remove

INVENTORY = """schema = 1
[defaults]
engine = "custom"
image = "x:1"
[tiers.one]
port = 1
[tiers.two]
port = 2
standby = true
[router]
kind = "haproxy"
"""


def there(folder: Path, service: str, project: str = "box") -> Container:
    """Return a container that was created in a folder."""
    labels = {"com.docker.compose.project.working_dir": str(folder)}
    return replace(inspected(), service=service, project=project, raw={"Config": {"Labels": labels}})


def test_what_has_left(tmp_path: Path) -> None:
    deployment = subject(tmp_path, INVENTORY).deployment
    tree = deployment.project.folder
    (tree / "tiers").mkdir(parents=True)
    (tree / "docker-compose.override.yml").write_text("services: {own: {image: x}}")
    (tree / "tiers" / "one.yml").write_text("services: {one: {image: x}, one-pull: {image: x}}")
    (tree / "link").symlink_to(tree)
    services = ("one", "two", "router", "router-reload", "own", "one-pull", "gone")
    containers = [there(tree, service) for service in services]
    containers += [there(tmp_path, "elsewhere"), there(tree, "foreign", "other"), there(tree / "link", "also")]

    assert [one.service for one in leftovers(deployment, containers)] == ["gone", "also"]


def test_a_file_that_cannot_be_read_may_have_it(tmp_path: Path) -> None:
    deployment = subject(tmp_path, INVENTORY).deployment
    tree = deployment.project.folder
    tree.mkdir(parents=True)
    (tree / "docker-compose.override.yml").write_text("services: [")
    assert leftovers(deployment, [there(tree, "one")]) == []
    with pytest.raises(DiagnosticError, match=r"docker-compose\.override\.yml"):
        leftovers(deployment, [there(tree, "gone")])


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_no_pipe_and_no_device_is_read(kind: str, tmp_path: Path) -> None:
    deployment = subject(tmp_path, INVENTORY).deployment
    tree = deployment.project.folder
    tree.mkdir(parents=True)
    os.mkfifo(tree / "more.yml") if kind == "pipe" else (tree / "more.yml").symlink_to("/dev/zero")
    with pytest.raises(DiagnosticError, match=r"more\.yml"):
        leftovers(deployment, [there(tree, "gone")])


def test_they_are_stopped_before_they_are_removed_and_no_volume_is() -> None:
    docker = FakeDocker({"container stop": "", "container rm": ""})
    remove(docker, [])
    remove(docker, [replace(inspected(), id="a"), replace(inspected(), id="b")])

    assert docker.asked == [("container", "stop", "a", "b"), ("container", "rm", "a", "b")]
