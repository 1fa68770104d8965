"""Container names and ports that somebody has already."""

from __future__ import annotations

import os

import pytest
from fake_engine import FakeDocker, container, having

from anvil_gen.machine.conflicts import Publishers, name_conflict, port_conflict, taken_ports
from anvil_gen.machine.containers import container as read


def test_who_has_a_name_and_how_it_is_moved() -> None:
    found = name_conflict(FakeDocker({}, context="gpu"), read(container("fast")))

    assert found.detail == 'a container named "fast" exists already, created without Compose (image:1, running)'
    assert found.command == "docker --context gpu rm --force fast"


def test_a_project_is_named_with_its_folder() -> None:
    made = container("fast", project="old", service="fast")
    made["Config"]["Labels"]["com.docker.compose.project.working_dir"] = "/srv/old"

    assert "of the compose project old in /srv/old (" in name_conflict(FakeDocker({}), read(made)).detail


@pytest.mark.parametrize(
    ("published", "asked", "has_it"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.9", "127.0.0.1", False),
    ],
)
def test_addresses_that_meet(published: str, asked: str, has_it: bool) -> None:
    there = Publishers(FakeDocker(having(container("old", port=30001, host=published))), [30001])

    assert (there.at(asked, 30001) is not None) is has_it
    assert there.at(asked, 30002) is None


def test_docker_is_not_asked_about_ports_that_are_free() -> None:
    docker = FakeDocker({})

    assert list(taken_ports(docker, [("127.0.0.1", 1)])) == []
    assert docker.asked == []


def test_a_port_of_a_container(held: int) -> None:
    docker = FakeDocker(having(container("old", port=held)), context="gpu")
    (found,) = taken_ports(docker, [("127.0.0.1", held)])

    assert found.detail == f"port {held} is in use by the container old, created without Compose"
    assert found.command == "docker --context gpu stop old"


def test_a_process_is_not_taken_for_a_container_at_another_address(held: int) -> None:
    docker = FakeDocker(having(container("old", port=held, host="127.0.0.9")))
    (found,) = taken_ports(docker, [("127.0.0.1", held)])

    assert (found.container, found.command) == (None, f"kill {os.getpid()}")
    assert found.detail.endswith(f"(process {os.getpid()})")


def test_a_process_of_somebody_else() -> None:
    assert port_conflict(FakeDocker({}), None, 1, system="win32").command == "netstat -ano | findstr :1"
