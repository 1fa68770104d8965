"""What differs between a container and its files, with the reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeDocker, engine
from inspected import inspected
from msgspec.structs import replace

from anvil_gen.machine.compose import Project
from anvil_gen.operate.drift import ProjectConfig, config_drift, image_drift, repeated_failure, service_changes
from anvil_gen.operate.redact import Redaction


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"command": ["--a=1"]}, {"command": ["--a=2"]}, [("command", "--a", "1", "2", "")]),
        (
            {"environment": {"A": "secret"}},
            {"environment": {"A": "other"}},
            [("environment", "A", None, None, "environment.A changed")],
        ),
        ({}, {"environment": {"A": "x"}}, [("environment", "A", None, None, "environment.A added")]),
        (
            {"labels": {"anvil-gen.file.etc/x": "1"}},
            {"labels": {"anvil-gen.file.etc/x": "2"}},
            [("labels", "anvil-gen.file.etc/x", "1", "2", "etc/x changed")],
        ),
        ({"restart": "always"}, {"restart": "always"}, []),
    ],
)
def test_changes_of_a_service(before: dict[str, Any], after: dict[str, Any], expected: list[Any]) -> None:
    changes = service_changes("box", "fast", {"image": "x", **before}, {"image": "x", **after})

    assert [(*change.address[2:], change.before, change.after, change.reason) for change in changes] == expected


def test_values_of_variables_are_not_told() -> None:
    before = {"command": ["serve", "--a=1", "old secret"], "labels": {"x": "old secret"}, "restart": "always"}
    after = {"command": ["serve", "--a=2", "secret"], "labels": {"x": "secret"}}
    hidden = Redaction(keys=frozenset({"command", "labels"}), plain_flags=frozenset({"--a"}))
    changes = service_changes("box", "fast", before, after, hidden)

    told = [(change.reason or change.address[-1], change.before, change.after) for change in changes]
    assert told == [
        ("--a", "1", "2"),
        ("argument 2 changed", None, None),
        ("labels.x changed", None, None),
        ("restart", "always", None),
    ]


def test_compose_is_asked_once_for_all_that_differs(tmp_path: Path) -> None:
    service = {"image": "vllm:1", "restart": "always"}
    config = {"name": "box", "services": {"fast": service, "other": service}}
    docker = FakeDocker({**engine(), "compose --project-name": json.dumps(config)})
    files = ProjectConfig(Project(docker=docker, folder=tmp_path, name="box"), "docker-compose.yml")
    found = [files.drift_of(service, inspected()) for service in ("fast", "other")]

    assert [drift.kind for drift in found] == ["config", "config"]
    assert all(any(change.address[2] == "restart" for change in drift.changes) for drift in found)
    assert [asked[:2] for asked in docker.asked if asked[0] == "compose"] == [
        ("compose", "--project-name"),
        ("compose", "version"),
    ]


def test_another_compose_is_a_cause_where_nothing_else_is() -> None:
    one = inspected(Labels={"com.docker.compose.version": "2.26.1"})

    assert config_drift(one, (), "v2.40.0").detail == "created by Compose 2.26.1; 2.40.0 writes it differently"
    assert "does not report" in config_drift(one, (), "2.26.1").detail


def test_an_image_whose_name_means_another() -> None:
    one = inspected()

    assert image_drift(one, {"vllm:1": {"Id": "sha256:2"}}) is None
    assert image_drift(one, {}) is None
    moved = image_drift(one, {"vllm:1": {"Id": "sha256:3"}})
    assert moved is not None
    assert moved.detail == "vllm:1 points to another image now (running: 2, now: 3)"


@pytest.mark.parametrize(
    ("state", "health", "restarts", "finished", "detail"),
    [
        ("restarting", None, 5, "12:00:09", "it has failed 5 times within its start period, last with exit code 3"),
        ("exited", None, 5, "12:00:09", "it has failed 5 times within its start period, last with exit code 3"),
        ("running", "starting", 9, "11:59:59", "it has failed 9 times within its start period"),
        ("restarting", None, 4, "12:00:09", None),
        ("restarting", None, 5, "12:20:00", None),  # after its start period
        ("running", "healthy", 9, "11:59:59", None),
    ],
)
def test_a_start_that_fails_again_and_again(
    state: str, health: str | None, restarts: int, finished: str, detail: str | None
) -> None:
    raw = {"State": {"FinishedAt": f"2026-01-01T{finished}.5Z"}}
    one = replace(inspected(), state=state, health=health, restarts=restarts, exit_code=3, raw=raw)
    one = replace(one, started_at="2026-01-01T12:00:00.123456789Z")
    drift = repeated_failure(one, 900.0, datetime(2026, 1, 1, 12, 1, tzinfo=UTC))

    assert (drift.detail if drift is not None else None) == detail
