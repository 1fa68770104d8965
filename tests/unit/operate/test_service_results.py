"""What `up` did to each service, from the containers before and after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeDocker
from inspected import inspected
from msgspec.structs import replace

from anvil_gen.machine.compose import Project
from anvil_gen.machine.containers import Container, ContainerQuery
from anvil_gen.operate.service_results import ServiceAction, results
from anvil_gen.operate.up import remove_unfinished


def one(number: str, **state: Any) -> Container:
    """Return a container of some id."""
    made = inspected(Env=[f"LEVEL={state.pop('level', '1')}"], Labels={"com.docker.compose.version": "2.26.1"})
    return replace(made, id=number, **state)


@pytest.mark.parametrize(
    ("before", "after", "step", "reason"),
    [
        (None, one("a"), ServiceAction.CREATED, ""),
        (one("a"), one("a"), ServiceAction.UNCHANGED, ""),
        (one("a", state="exited"), one("a", started_at="2026-01-01T00:00:00Z"), ServiceAction.STARTED, "it was exited"),
        (
            one("a", state="exited"),
            one("a", state="exited", exit_code=3, started_at="2026-01-01T00:00:00Z"),
            ServiceAction.STARTED,
            "it was exited, and exited again with code 3",
        ),
        (
            one("a", state="created"),
            one("a", state="created"),
            ServiceAction.NOT_STARTED,
            "it has a container, which never ran",
        ),
        (None, one("a", state="created"), ServiceAction.NOT_STARTED, "it has a container, which never ran"),
        (
            one("a", state="created"),
            one("a", started_at="2026-01-01T00:00:00Z"),
            ServiceAction.STARTED,
            "it was created",
        ),
        (one("a"), None, ServiceAction.REMOVED, ""),
        (None, None, ServiceAction.MISSING, ""),
        (one("a"), one("b", level="2"), ServiceAction.RECREATED, ""),
        (one("a"), one("b", image_id="sha256:3"), ServiceAction.RECREATED, "vllm:1 points to another image now"),
        (
            one("a"),
            one("b", compose_version="2.40.0"),
            ServiceAction.RECREATED,
            "created by Compose 2.26.1; 2.40.0 writes it differently",
        ),
        (
            one("a"),
            one("b"),
            ServiceAction.RECREATED,
            "its configuration differs in something that Docker does not report",
        ),
    ],
)
def test_a_service(before: Container | None, after: Container | None, step: ServiceAction, reason: str) -> None:
    project = Project(docker=FakeDocker({"image inspect": "[]"}), folder=Path(), name="box")
    old, new = ({} if found is None else {"fast": found} for found in (before, after))

    (result,) = results(project, ["fast"], old, new)
    assert (result.service, result.action, result.reason) == ("fast", step, reason)
    assert bool(result.changes) == (step is ServiceAction.RECREATED and not reason)


def test_what_was_not_asked_for_is_told_only_where_it_changed() -> None:
    project = Project(docker=FakeDocker({"image inspect": "[]"}), folder=Path(), name="box")
    before = {"fast": one("a"), "other": one("b"), "gone": one("c")}
    after = {"fast": one("a"), "other": one("b")}

    told = [(result.service, result.action) for result in results(project, ["fast"], before, after)]
    assert told == [("fast", ServiceAction.UNCHANGED), ("gone", ServiceAction.REMOVED)]


def test_what_compose_has_not_finished_is_removed_and_does_not_count() -> None:
    labels = {"com.docker.compose.project": "box", "com.docker.compose.service": "fast"}
    good = {"Id": "a", "Name": "/fast", "Image": "sha256:1", "State": {"Status": "running"}, "HostConfig": {}}
    good |= {"Config": {"Image": "vllm:1", "Labels": labels}}
    replacing = {"Image": "vllm:1", "Labels": {**labels, "com.docker.compose.replace": "0123456789abcdef"}}
    half = {**good, "Id": "b", "Name": "/0123456789ab_fast", "State": {"Status": "created"}, "Config": replacing}
    docker = FakeDocker({"ps": "a\nb\n", "container inspect a b": json.dumps([good, half]), "container rm b": "b\n"})
    look = ContainerQuery(docker, "box")

    assert remove_unfinished(Project(docker=docker, folder=Path(), name="box"), look) == ["0123456789ab_fast"]
    assert docker.asked[-1] == ("container", "rm", "b")
