"""Containers as Docker describes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_engine import FakeDocker

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine.containers import ContainerQuery, container, containers_named, images_of

PROJECT = "com.docker.compose.project"


def raw(number: str, *, host: dict[str, Any] | None = None, **labels: str) -> dict[str, Any]:
    """Return what ``docker inspect`` says of a container."""
    return {
        "Id": number,
        "Name": f"/name-{number}",
        "Image": "sha256:2",
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00.5Z", "Health": {"Status": "healthy"}},
        "HostConfig": host or {},
        "Config": {"Image": "vllm:1", "Labels": {f"com.docker.compose.{key}": value for key, value in labels.items()}},
    }


def test_labels_and_state() -> None:
    one = container(raw("a", project="box", service="fast"))

    assert (one.name, one.project, one.service) == ("name-a", "box", "fast")
    assert (one.state, one.health, one.running, one.restarts) == ("running", "healthy", True, 0)


@pytest.mark.parametrize(
    ("name", "state", "labels", "unfinished"),
    [
        ("/0123456789ab_fast", "created", {"replace": "0123456789abcdef"}, True),
        ("/0123456789ab_fast", "running", {"replace": "0123456789abcdef"}, False),
        ("/fast", "created", {"replace": "0123456789abcdef"}, False),
        ("/0123456789ab_fast", "created", {}, False),
        ("/fast", "running", {}, False),
    ],
)
def test_what_compose_has_not_finished(name: str, state: str, labels: dict[str, Any], unfinished: bool) -> None:
    one = container({**raw("a", **labels), "Name": name, "State": {"Status": state}})

    assert one.is_unfinished is unfinished


def test_ports_and_cards_as_asked_for() -> None:
    host = {
        "PortBindings": {
            "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "", "HostPort": "81"}],
            "90/tcp": None,
            "91/tcp": [{"HostIp": "", "HostPort": ""}],
        },
        "DeviceRequests": [{"DeviceIDs": ["GPU-1"]}, {"DeviceIDs": None}],
    }
    one = container(raw("a", host=host))

    assert one.published == (("127.0.0.1", 8080), ("", 81))
    assert one.device_ids == ("GPU-1",)


@pytest.mark.parametrize(
    ("got", "published"),
    [({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8001"}]}, (("127.0.0.1", 8001),)), ({}, ())],
)
def test_of_a_range_it_has_the_port_that_it_got(got: dict[str, Any], published: Any) -> None:
    host = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000-8010"}]}}
    one = container({**raw("a", host=host), "NetworkSettings": {"Ports": got}})

    assert one.published == published
    assert one.asked_ports == ("127.0.0.1:8000-8010",)


def test_a_look_joins_the_project_with_names_and_leaves_one_off_runs_out() -> None:
    docker = FakeDocker(
        {
            "ps --all": "a\nb\nc\n",
            "container inspect name-a other": json.dumps([raw("a", project="box")]),
            "container inspect b c": json.dumps([raw("b", project="box"), raw("c", project="box", oneoff="True")]),
        }
    )
    found = ContainerQuery(docker, "box", ["other", "name-a"]).containers()

    assert [one.id for one in found] == ["a", "b"]


def test_a_look_without_names_asks_for_what_the_project_has() -> None:
    docker = FakeDocker({"ps --all": "b\n", "container inspect b": json.dumps([raw("b")])})

    assert [one.id for one in ContainerQuery(docker, "box").containers()] == ["b"]
    assert len(docker.asked) == 2


def test_one_that_goes_while_it_is_looked_at() -> None:
    assert ContainerQuery(FakeDocker({"ps --all": "b\n", "container inspect b": ""}), "box").containers() == []


def test_a_fault_is_told_where_the_answer_is_needed() -> None:
    look = ContainerQuery(FakeDocker({"": "it fell over"}), "box")

    with pytest.raises(DiagnosticError) as caught:
        look.containers()
    assert [diagnostic.summary for diagnostic in caught.value.diagnostics] == ["docker command failed"]


def test_names_are_asked_for_once() -> None:
    docker = FakeDocker({"container inspect x y": json.dumps([raw("x", project="other")])})

    assert [one.project for one in containers_named(docker, ["y", "x", "y"])] == ["other"]
    assert containers_named(docker, []) == []
    assert len(docker.asked) == 1


@pytest.mark.parametrize(
    "reference",
    [
        "vllm",
        "vllm:latest",
        "docker.io/library/vllm",
        "docker.io/vllm:latest",
        "sha256:9",
        "vllm@sha256:7",
        "vllm:v1@sha256:7",
    ],
)
def test_an_image_is_found_by_each_spelling(reference: str) -> None:
    image = {"Id": "sha256:9", "RepoTags": ["vllm:latest"], "RepoDigests": ["vllm@sha256:7"]}
    docker = FakeDocker({"image inspect": json.dumps([image])})

    assert images_of(docker, [reference]) == {reference: image}
    assert images_of(docker, ["missing:1"]) == {}
