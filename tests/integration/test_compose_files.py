"""Which files Compose reads for a verb: those that were rendered, whatever else lies beside them or `.env` says."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from compose_cli import compose_command

from anvil_gen.machine.compose import Project
from anvil_gen.machine.docker import Docker

OTHER = "services: {a: {image: other}}\n"
BESIDE = {
    "compose.yaml": OTHER,
    "compose.yml": OTHER,
    "docker-compose.yaml": OTHER,
    ".env": "COMPOSE_FILE=other.yml\nCOMPOSE_PROJECT_NAME=other\nCOMPOSE_PATH_SEPARATOR=k\n",
}
OVERRIDES = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml")


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a rendered file, and a `docker` whose `compose` is the real one."""
    programs, folder = tmp_path / "bin", tmp_path / "box"
    programs.mkdir()
    folder.mkdir()
    compose = shlex.join(compose_command())
    (programs / "docker").write_text(f'#!/bin/sh\nshift\nexec {compose} "$@"\n')
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (folder / "docker-compose.yml").write_text("name: box\nservices: {a: {image: rendered}}\n")
    (folder / "other.yml").write_text(OTHER)
    return Project(docker=Docker(), folder=folder, name="box")


@pytest.mark.parametrize("name", BESIDE)
def test_nothing_beside_takes_the_place_of_what_was_rendered(box: Project, name: str) -> None:
    plain = box.hashes()
    (box.folder / name).write_text(BESIDE[name])
    config = box.services()

    assert (config["name"], config["services"]["a"]["image"]) == ("box", "rendered")
    assert box.hashes() == plain


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_is_read_as_plain_compose_reads_it(box: Project, name: str) -> None:
    (box.folder / name).write_text("services: {a: {user: me}}\n")

    service = box.services()["services"]["a"]
    assert (service["image"], service["user"]) == ("rendered", "me")
