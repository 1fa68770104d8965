"""Which program `docker compose` runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anvil_gen.machine import compose_plugin as module
from anvil_gen.machine.compose_plugin import compose_plugin

BINARY = b"\x7fELF and more"


def program(path: Path, content: bytes = BINARY) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have Docker, with Compose in a folder of the system."""
    program(tmp_path / "bin/docker")
    program(tmp_path / "system/docker-compose")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(module, "_FOLDERS", (str(tmp_path / "none"), str(tmp_path / "system")))
    return tmp_path


def test_it_is_found_where_docker_looks(machine: Path) -> None:
    assert compose_plugin() == str(machine / "system/docker-compose")


def test_a_persons_own_comes_first(machine: Path) -> None:
    own = program(machine / "config/cli-plugins/docker-compose")
    (machine / "config/config.json").write_text('{"currentContext": "box"}', "utf-8")

    assert compose_plugin() == str(own)


@pytest.mark.parametrize("script", ["bin/docker", "system/docker-compose", "config/cli-plugins/docker-compose"])
def test_what_a_script_does_only_docker_tells(machine: Path, script: str) -> None:
    program(machine / script, b"#!/bin/sh\nexec ssh box docker\n")

    assert compose_plugin() is None


def test_what_another_program_does_only_it_tells(machine: Path) -> None:
    (machine / "bin/docker").rename(machine / "bin/podman")
    (machine / "bin/docker").symlink_to("podman")

    assert compose_plugin() is None


@pytest.mark.parametrize("content", [b'{"cliPluginsExtraDirs": ["/opt/plugins"]}', b"\xff\xfe"])
def test_folders_of_its_own_only_docker_reads(machine: Path, content: bytes) -> None:
    (machine / "config").mkdir()
    (machine / "config/config.json").write_bytes(content)

    assert compose_plugin() is None


def test_elsewhere_docker_is_asked(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compose_plugin() is not None
    monkeypatch.setattr(sys, "platform", "darwin")

    assert compose_plugin() is None


@pytest.mark.parametrize("missing", ["bin/docker", "system/docker-compose"])
def test_nothing_is_found_where_nothing_is(machine: Path, missing: str) -> None:
    (machine / missing).unlink()

    assert compose_plugin() is None
