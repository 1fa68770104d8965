"""`plan --verify`: the real Docker Compose is asked, and what it would do otherwise is an error."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from compose_cli import compose_command
from msgspec.structs import replace
from plans import LAB, edit, lab_fleet, plan_of
from running import anvil_gen

from anvil_gen.deploy.consequence import Consequence
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.review.consequence import ServiceChange
from anvil_gen.review.host_plan import HostPlan
from anvil_gen.review.verify import verify


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rendered fleet without a pending change, where `docker compose` is the tests' own."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\n[ "$1" = compose ] && shift\nexec {shlex.join(compose_command())} "$@"\n', "utf-8")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    (tmp_path / "fleet").mkdir()
    return lab_fleet(tmp_path / "fleet")


def test_compose_agrees(fleet: Path) -> None:
    edit(fleet, "port = 30001", "port = 30011")
    edit(fleet, "[tiers.rerank]", "[tiers.ranker]")
    found = anvil_gen("plan", "lab-quad", "--verify", cwd=fleet)

    assert (found.code, found.stderr) == (2, "verified: Docker Compose would do the same to 8 services\n")
    assert "~ writer  recreate" in found.stdout


def test_nothing_is_asked_of_no_change(fleet: Path) -> None:
    found = anvil_gen("plan", "--all", "--verify", cwd=fleet, env={"PATH": "/nowhere"})

    assert (found.code, found.stderr) == (0, "verified: Docker Compose would do the same to 0 services\n")


def test_without_compose_it_is_an_error(fleet: Path) -> None:
    edit(fleet, "port = 30001", "port = 30011")
    found = anvil_gen("plan", "lab-quad", "--verify", "--format", "json", cwd=fleet, env={"PATH": "/nowhere"})

    assert found.code == 1
    assert '"docker-is-not-installed"' in found.stdout


def wrong(plan: HostPlan, service: str, consequence: Consequence | None) -> HostPlan:
    """Return a plan that says something else of a service, or nothing."""

    def changed(one: ServiceChange) -> list[ServiceChange]:
        if one.service != service:
            return [one]
        return [] if consequence is None else [replace(one, consequence=consequence)]

    return replace(plan, services=tuple(it for one in plan.services for it in changed(one)))


@pytest.mark.parametrize(
    ("service", "consequence", "told"),
    [
        ("writer", Consequence.NONE, '"none" is planned, and Compose does "recreate"'),
        ("writer", Consequence.RELOAD, '"reload" is planned, and Compose does "recreate"'),
        ("router", Consequence.RECREATE, '"recreate" is planned, and Compose does "reload"'),
        ("router", None, '"none" is planned, and Compose does "reload"'),
    ],
)
def test_a_wrong_plan_is_an_error(fleet: Path, service: str, consequence: Consequence | None, told: str) -> None:
    edit(fleet, "port = 30001", "port = 30011")
    right = plan_of(fleet, file=LAB)
    with pytest.raises(DiagnosticError) as error:
        verify([wrong(right, service, consequence)])

    assert {one.code for one in error.value.diagnostics} == {"compose-does-something-else"}
    assert told in error.value.diagnostics[0].detail
