"""What `init` finds on made-up hosts, and what it reports as missing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from bare_machines import DEBIAN, RTX5090, UBUNTU, docker, look, machine
from fake_engine import FakeDocker
from fake_machine import WSL2_KERNEL, nvidia, programs

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.machine.subprocesses import Answer
from anvil_gen.onboard.detect import machine_name
from anvil_gen.onboard.prerequisites import in_the_way, missing_prerequisites


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        (DEBIAN, ["sudo apt-get update && sudo apt-get install -y docker.io docker-cli docker-compose", "gpgkey"]),
        (UBUNTU, ["sudo apt-get update && sudo apt-get install -y docker.io docker-compose-v2", "gpgkey"]),
        (
            {"etc/os-release": "ID=nobody\n"},
            ["https://docs.docker.com/engine/install/", "nvidia-ctk runtime configure"],
        ),
        ({"etc/os-release": "nonsense"}, ["https://docs.docker.com/engine/install/", "nvidia-ctk runtime configure"]),
    ],
)
def test_what_is_missing_has_commands_to_copy(files: dict[str, str], commands: list[str], tmp_path: Path) -> None:
    at = machine(tmp_path, run=nvidia(RTX5090), files=files)
    lacks = missing_prerequisites(look(at), Catalog(), at)

    for lack, command in zip(lacks, commands, strict=True):
        (line,) = [line for line in lack.remedy.splitlines() if command in line]
        assert line.startswith("    ")
    assert "    sudo nvidia-ctk runtime configure --runtime=docker" in lacks[1].remedy


def test_wsl2_has_a_second_way_to_docker(tmp_path: Path) -> None:
    at = machine(tmp_path, files={"proc/sys/kernel/osrelease": WSL2_KERNEL})
    (lack,) = missing_prerequisites(look(at), Catalog(), at)

    assert lack.remedy.startswith("enable Docker Desktop's integration for this distribution, or install it")


def test_commands_are_known_for_vendors_that_there_are() -> None:
    install = tomllib.loads((shipped_templates() / "onboard/install.toml").read_text("utf-8"))

    assert set(install["runtimes"]) <= set(Catalog().names("gpus"))


def test_the_processor_without_docker_is_the_kernels(tmp_path: Path) -> None:
    kernels = programs({"uname": Answer(code=0, stdout="aarch64\n")})

    assert look(machine(tmp_path, run=kernels)).architecture == "arm64"


def test_a_compose_project_that_runs_is_noticed(tmp_path: Path) -> None:
    running = {"Name": "llm", "Status": "running(2)", "ConfigFiles": "/srv/llm/docker-compose.yml"}
    found = look(machine(tmp_path, engine=docker(projects=[running])))
    (warning,) = in_the_way(found)

    # What is imported goes on under the same name.
    assert [*in_the_way(found, ["llm"]), *in_the_way(found, ["/srv/llm/docker-compose.yml"])] == []
    assert len([*in_the_way(found, ["other", "docker-compose.yml"])]) == 1
    assert warning.detail.startswith("llm, of /srv/llm/docker-compose.yml: running(2)")
    assert warning.remedy.endswith("\n    docker compose --project-name llm stop")


def test_an_engine_that_does_not_answer_says_why(tmp_path: Path) -> None:
    refused = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"
    silent = {"version": '{"Client": {"Version": "28.0.1"}}', "info": json.dumps({"ServerErrors": [refused]})}
    at = machine(tmp_path, engine=FakeDocker({**silent, "compose": "2.33.1"}))
    (lack,) = missing_prerequisites(look(at), Catalog(), at)

    assert (lack.summary, lack.severity) == ("no permission to use Docker", "warning")
    assert "    sudo usermod -aG docker $USER" in lack.remedy


def test_an_old_compose_is_told(tmp_path: Path) -> None:
    at = machine(tmp_path, engine=docker(compose="v2.17.2"))
    (lack,) = missing_prerequisites(look(at), Catalog(), at)

    assert (lack.summary, lack.detail) == (
        "Docker Compose is missing",
        "v2.17.2 is installed; 2.20 or newer is required",
    )
    assert "    sudo apt-get update && sudo apt-get install -y docker-compose" in lack.remedy


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("My-Box.local", "my-box"), ("GRÖSSE", "gr-sse"), ("...", "box"), ("", "box"), ("x" * 99, "x" * 63), ("_a_", "a")],
)
def test_a_machine_is_called_as_its_host(hostname: str, name: str) -> None:
    assert machine_name(hostname) == name
