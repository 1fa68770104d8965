"""Whose containers they are: what another inventory has created is left alone, and so is the advice to remove it."""

from __future__ import annotations

import os
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
from anvil_gen.machine.ownership import inventory_of, require_known_services, require_own_containers

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


def of_compose_file(file: Path, service: str = "db") -> Container:
    labels = {
        "com.docker.compose.project": "shared",
        "com.docker.compose.service": service,
        "com.docker.compose.project.working_dir": str(file.parent),
        "com.docker.compose.project.config_files": f"{file},{file.parent / 'more.yaml'}",
    }
    return inspected(Labels=labels)


def test_containers_of_somebodys_compose_file_are_not_removed(home: Path, tmp_path: Path) -> None:
    file, here = tmp_path / "cloud" / "compose.yaml", of(home / "deploy" / "two")
    file.parent.mkdir()
    require_known_services(here, [of_compose_file(file)], {"fast"})  # the file has gone
    file.touch()
    require_known_services(here, [of_compose_file(file, "fast")], {"fast"})  # taken over
    require_known_services(here, [created_in(home / "deploy" / "two")], set())
    with pytest.raises(DiagnosticError) as caught:
        require_known_services(here, [of_compose_file(file)], {"fast"})
    (diagnostic,) = caught.value.diagnostics

    assert diagnostic.code == "project-taken-twice"
    assert str(file) in diagnostic.detail


def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "docker-compose.yml")

    assert inventory_of(str(tmp_path)) == ""


def test_a_render_of_all_warns(home: Path) -> None:
    plans = Generator().render_all([home / "hosts" / "one.toml", home / "hosts" / "two.toml"])
    warnings = [(plan.host.name, one.code, one.severity, one.address) for plan in plans for one in plan.host.warnings]

    assert warnings == [("two", "project-taken-twice", "warning", "host.project")]
