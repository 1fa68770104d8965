"""An override file that changes a rank on one host alone, by the real Docker Compose: no rendered file tells of it."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
from compose_cli import compose_command
from group_fleets import edit, write_pair
from running import anvil_gen

from anvil_gen.deploy.pipeline import Generator, write_trees
from anvil_gen.operate.group import different_overrides, ranks_of_group, require_operable

NAME = "docker-compose.override.yml"
DEBUG = "services: {big: {environment: {NCCL_DEBUG: INFO}}}\n"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pair, rendered, with a `docker` that has the real Compose and no engine."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    compose = shlex.join(compose_command())
    docker.write_text(f'#!/bin/sh\n[ "$1" = --context ] && shift 2\n[ "$1" = compose ] && shift\nexec {compose} "$@"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    write_trees(Generator().render_all(write_pair(tmp_path)))
    return tmp_path


def write(fleet: Path, host: str, text: str, name: str = NAME) -> None:
    (fleet / "deploy" / host / name).write_text(text, "utf-8")


def found(fleet: Path) -> list[str]:
    return [one.detail for one in different_overrides(ranks_of_group("sparks", fleet))]


def test_ranks_without_override_files_are_alike(fleet: Path) -> None:
    assert found(fleet) == []


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (DEBUG, "environment.NCCL_DEBUG"),
        ("services: {big: {environment: {NCCL_SOCKET_IFNAME: lo}}}\n", "environment.NCCL_SOCKET_IFNAME"),
        ("services: {big: {image: vllm/vllm-openai:v0.30.0}}\n", "image"),
        ("services: {big: {command: !override [serve, /models/other]}}\n", "command"),
        ("services: {big: {labels: {anvil-gen.group: mine}}}\n", "labels.anvil-gen.group"),
        ("services: {big: {volumes: ['/srv/other:/models']}}\n", "volumes"),
        ("services: {big: {network_mode: bridge}}\n", "network_mode"),
        ("services: {big: {ipc: !reset null}}\n", "ipc"),
        ("services: {big: {environment: {'Ünïcödé': '0'}}}\n", "environment.Ünïcödé"),
    ],
)
def test_what_one_host_alone_changes_is_named(fleet: Path, text: str, changed: str) -> None:
    write(fleet, "spark-b", text)

    (detail,) = found(fleet)
    assert detail.startswith(f"{NAME} of spark-b changes {changed}")
    assert detail.endswith(", and not on all hosts alike")


def test_what_all_hosts_change_alike_is_no_difference(fleet: Path) -> None:
    for host, name in (("spark-a", NAME), ("spark-b", "compose.override.yaml")):
        write(fleet, host, DEBUG, name)

    assert found(fleet) == []


def test_each_host_with_another_value_is_named_and_no_value_is_said(fleet: Path) -> None:
    write(fleet, "spark-a", DEBUG.replace("INFO", "a-secret"))
    write(fleet, "spark-b", DEBUG)

    details = found(fleet)
    assert [detail.split(" changes ")[0] for detail in details] == [f"{NAME} of spark-a", f"{NAME} of spark-b"]
    assert "a-secret" not in "".join(details)


def test_other_services_of_a_host_are_its_own(fleet: Path) -> None:
    write(fleet, "spark-a", "services: {router: {environment: {TZ: UTC}}, other: {image: x}}\nvolumes: {more: {}}\n")

    assert found(fleet) == []


def test_status_reports_it_also_where_no_host_answers(fleet: Path) -> None:
    write(fleet, "spark-b", DEBUG)

    told = anvil_gen("status", "sparks", cwd=fleet)
    assert told.code == 2
    assert f"ranks differ: {NAME} of spark-b changes environment.NCCL_DEBUG" in told.stdout
    assert "write it in groups/sparks.toml (`override`, `environment`)" in told.stdout
    document = json.loads(anvil_gen("status", "sparks", "--json", cwd=fleet).stdout)
    assert "config" in {drift["kind"] for rank in document["ranks"] for drift in rank["drift"]}


def test_a_group_has_metrics_of_its_own_drift(fleet: Path) -> None:
    """As series of their own, next to those of the head's host in one folder of text files."""
    told = anvil_gen("status", "sparks", "--metrics", cwd=fleet)

    assert (told.code, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [
        "# TYPE anvil_gen_drift gauge",
        'anvil_gen_drift{kind="rank",host="spark-a",service="big",group="sparks"} 1',  # nobody answers here
    ]


@pytest.mark.parametrize("host", ["spark-a", "spark-b"])
def test_doctor_of_each_host_reports_it(fleet: Path, host: str) -> None:
    write(fleet, "spark-b", DEBUG)

    told = anvil_gen("doctor", host, cwd=fleet)
    assert told.code != 0
    assert f"{NAME} of spark-b changes environment.NCCL_DEBUG" in told.stdout


def test_one_that_compose_refuses_is_no_traceback(fleet: Path) -> None:
    write(fleet, "spark-b", "services: [\n")

    for verb in ("status", "up", "doctor"):
        told = anvil_gen(verb, "spark-b" if verb == "doctor" else "sparks", cwd=fleet)
        assert told.code != 0
        assert "Traceback" not in told.stderr


def test_a_file_that_another_machine_alone_has_is_not_the_same_tree(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(fleet / "hosts/spark-b.toml", 'architecture = "arm64"', 'architecture = "arm64"\ndocker_context = "there"')
    write_trees(Generator().render_all(sorted((fleet / "hosts").glob("*.toml"))))
    there = fleet / "there"
    (fleet / "bin/ssh").write_text(
        '#!/bin/sh\nwhile [ "$#" -gt 1 ]; do shift; done\n'
        f'exec sh -c "$(printf %s "$1" | sed "s#{fleet}/deploy#{there}#g")"\n'
    )
    (fleet / "bin/docker").write_text("#!/bin/sh\necho ssh://me@there\n")
    (fleet / "bin/ssh").chmod(0o755)
    there.mkdir()
    for path in (fleet / "deploy/spark-b").rglob("*"):
        if path.is_file():
            copy = there / "spark-b" / path.relative_to(fleet / "deploy/spark-b")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())

    require_operable(ranks_of_group("sparks", fleet), "up", stale_too=True)
    (there / "spark-b" / NAME).write_text(DEBUG)
    told = anvil_gen("up", "sparks", cwd=fleet)
    assert told.code == 1
    assert f"it does not have the same files in {fleet}/deploy/spark-b: {NAME}" in told.stderr
