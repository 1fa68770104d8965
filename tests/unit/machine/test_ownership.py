"""Whose containers they are: what another inventory has created is left alone, and so is the advice to remove it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import FakeDocker
from inspected import inspected
from running import INVENTORY, fleet

from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine.compose import Project
from anvil_gen.machine.conflicts import name_conflict
from anvil_gen.machine.containers import Container
from anvil_gen.machine.ownership import require_own_containers

SAME = INVENTORY.replace("schema = 1", 'schema = 1\n[host]\nproject = "shared"')


def created_in(folder: Path | str, project: str = "shared") -> Container:
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": "fast",
        "com.docker.compose.project.working_dir": str(folder),
    }
    return inspected(Labels=labels)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two rendered hosts of one project."""
    home = fleet(tmp_path, one=SAME, two=SAME)
    write(Generator().render_all([home / "hosts" / "one.toml", home / "hosts" / "two.toml"]))
    return home


def of(folder: Path) -> Project:
    return Project(docker=FakeDocker({}), folder=folder, name="shared")


def test_containers_of_another_inventory_are_left_alone(home: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        require_own_containers(of(home / "deploy" / "two"), [created_in(home / "deploy" / "one")])
    (diagnostic,) = caught.value.diagnostics

    assert diagnostic.code == "project-taken-twice"
    assert "hosts/one.toml" in diagnostic.detail
    assert "hosts/two.toml" in diagnostic.detail
    assert f"--project-directory {home / 'deploy' / 'one'} down" in diagnostic.remedy


def test_own_ones_and_those_of_a_folder_that_has_gone_are_not(home: Path, tmp_path: Path) -> None:
    (home / "link").symlink_to("deploy/two")
    for folder in (home / "deploy" / "two", home / "link", tmp_path / "moved", tmp_path, ""):
        require_own_containers(of(home / "deploy" / "two"), [created_in(folder)])
    require_own_containers(of(home / "deploy" / "two"), [created_in(home / "deploy" / "one", "another")])


def test_no_advice_removes_a_container_of_another_inventory(home: Path) -> None:
    theirs = name_conflict(FakeDocker({}), created_in(home / "deploy" / "one"))
    nobodys = name_conflict(FakeDocker({}), created_in(""))

    assert theirs.command == f"docker compose --project-directory {home / 'deploy' / 'one'} rm --stop fast"
    assert nobodys.command == "docker rm --force fast"


def test_a_render_of_all_warns(home: Path) -> None:
    plans = Generator().render_all([home / "hosts" / "one.toml", home / "hosts" / "two.toml"])
    warnings = [(plan.host.name, one.code, one.severity, one.address) for plan in plans for one in plan.host.warnings]

    assert warnings == [("two", "project-taken-twice", "warning", "host.project")]
