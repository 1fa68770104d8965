"""What a failed docker command means."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine import docker
from anvil_gen.machine.docker import Docker, failure, parse_json
from anvil_gen.machine.dotenv import BAD_VARIABLES


@pytest.mark.parametrize(
    ("stderr", "summary", "remedy"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
            "Docker does not answer",
            "systemctl start docker",
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "no permission to use Docker",
            "usermod -aG docker",
        ),
        ("docker: unknown command: docker compose\n\nRun 'docker --help'", "Docker Compose is missing", "2.20"),
        (
            "unknown flag: --project-name\n\nUsage:  docker [OPTIONS]\n\nRun 'docker --help' for more information",
            "Docker Compose is missing",
            "2.20",
        ),
        ("unknown shorthand flag: 'p' in -p\nSee 'docker --help'.", "Docker Compose is missing", "2.20"),
        ('Failed to initialize: context "x": context not found: open x', "unknown Docker context", "docker context ls"),
        ("no configuration file provided: not found\n", "docker command failed", "    docker compose 'a b'"),
        ("", "docker command failed", "docker compose"),
    ],
)
def test_failures(stderr: str, summary: str, remedy: str) -> None:
    diagnostic = failure(stderr, ["docker", "compose", "a b"])

    assert diagnostic.summary == summary
    assert remedy in diagnostic.remedy


@pytest.mark.parametrize(
    ("said", "file", "told"),
    [
        (
            'failed to read /srv/x/.env: line 3: unterminated quoted value "sk-secret',
            "/srv/x/.env",
            "unterminated quoted value",
        ),
        (
            "failed to read /srv/x/.env: line 3: unterminated quoted value 'sk-secret",
            "/srv/x/.env",
            "unterminated quoted value",
        ),
        ("failed to read /srv/x/.env: line 2: key cannot contain a space", "/srv/x/.env", "key cannot contain a space"),
        ('failed to read /srv/x/.env: Invalid template: "${secret"', "/srv/x/.env", "Invalid template"),
        ("setenv: invalid argument\n", ".env", "a line has no name"),
    ],
)
def test_variables_that_cannot_be_read_are_not_shown(said: str, file: str, told: str) -> None:
    diagnostic = failure(said, ["docker", "compose"])

    assert (diagnostic.code, diagnostic.detail) == (BAD_VARIABLES, f"Compose reports: {told}")
    assert diagnostic.location is not None
    assert diagnostic.location.file == file
    assert "secret" not in str(diagnostic)


def test_no_docker_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DiagnosticError) as caught:
        Docker().output("ps")

    assert [diagnostic.summary for diagnostic in caught.value.diagnostics] == ["Docker is not installed"]


@pytest.mark.parametrize(("mode", "why"), [(0o755, "exec format error"), (0o644, "permission denied")])
def test_what_has_the_name_and_is_no_program(
    mode: int, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "docker"
    program.write_text("not a program")
    program.chmod(mode)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DiagnosticError) as caught:
        Docker().output("ps")

    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.summary == "Docker cannot be run"
    assert why in diagnostic.detail


def test_what_prints_something_else() -> None:
    with pytest.raises(DiagnosticError) as caught:
        parse_json("hello\x1b[2J\n")

    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.summary == "unexpected output from docker"
    assert diagnostic.detail.endswith("printed: hello\\u001b[2J")


@pytest.mark.parametrize(
    ("host", "remote"),
    [
        ("", False),
        ("unix:///run/x.sock", False),
        ("ssh://me@box", True),
        ("tcp://127.0.0.1:2375", False),
        ("tcp://[::1]:2375", False),
        ("tcp://localhost.example.org:2375", True),
        ("tcp://192.168.0.9:2375", True),
    ],
)
def test_where_the_engine_is(host: str, remote: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_HOST", host)

    assert (Docker().endpoint, Docker().is_remote) == (host, remote)


def test_a_context_comes_before_the_command() -> None:
    assert Docker("box").command("ps", "-a") == ["docker", "--context", "box", "ps", "-a"]
    assert Docker("my box").shell_command("pull", "a b") == "docker --context 'my box' pull 'a b'"


def test_compose_is_its_own_program_with_dockers_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = tmp_path / "docker-compose"
    plugin.write_text('#!/bin/sh\necho "$DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND: $*"\n', "utf-8")
    plugin.chmod(0o755)
    monkeypatch.setattr(docker, "compose_plugin", lambda: str(plugin))

    assert Docker("far").output("compose", "ps") == "docker: --context far compose ps\n"
    assert Docker().popen("compose", "config").communicate()[0] == "docker: compose config\n"
