"""The compose commands of a project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_engine import FakeDocker

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine.compose import Hashes, Project


def project(folder: Path, **answers: str) -> Project:
    """Return a project in a folder, on an engine that answers for ``docker compose``."""
    return Project(docker=FakeDocker(answers), folder=folder, name="box")


def test_only_a_mode_of_its_own_names_its_file(tmp_path: Path) -> None:
    box = project(tmp_path)

    assert box.arguments("up") == ["compose", "--project-name", "box", "up"]
    mode = box.arguments("up", root_file="docker-compose.night.yml")
    assert mode == ["compose", "--project-name", "box", "--file", "docker-compose.night.yml", "up"]


def test_hashes_by_service(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").touch()

    assert project(tmp_path, compose="a word of warning\nfast 1f\n\nheavy 2e\n").hashes() == {
        "fast": "1f",
        "heavy": "2e",
    }


def test_services_of_any_profile_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").touch()
    asked = "compose --project-name box --profile * config "
    docker = FakeDocker({f"{asked}--hash *": "fast 1f\n", f"{asked}--format json": '{"services": {"fast": {}}}'})
    box = Project(docker=docker, folder=tmp_path, name="box")

    assert box.hashes() == {"fast": "1f"}
    assert box.services() == {"services": {"fast": {}}}


def test_no_files_have_no_hashes(tmp_path: Path) -> None:
    box = project(tmp_path)

    assert box.hashes() == {}
    assert isinstance(box.docker, FakeDocker)
    assert box.docker.asked == []


def test_a_refusal_is_told_where_the_hashes_are_needed(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").touch()
    hashes = Hashes(project(tmp_path))

    with pytest.raises(DiagnosticError):
        hashes.by_service()


def test_a_dollar_that_compose_doubles_is_one(tmp_path: Path) -> None:
    printed = json.dumps({"services": {"fast": {"command": ["a$$b", "$$$$"], "environment": {"X$$": "$$HOME"}}}})
    found = project(tmp_path, compose=printed).services()["services"]["fast"]

    assert found == {"command": ["a$b", "$$"], "environment": {"X$": "$HOME"}}


@pytest.mark.parametrize("printed", ["", "all is well\n", "{}", "<html>\n"])
def test_what_is_no_answer_of_compose_is_an_error(printed: str, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").touch()
    box = project(tmp_path, compose=printed)

    for ask in (box.hashes, box.services):
        with pytest.raises(DiagnosticError) as caught:
            ask()
        assert [one.code for one in caught.value.diagnostics] == ["unexpected-output-from-docker"]
