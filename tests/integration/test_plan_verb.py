"""The verb `plan` as a process: exit codes, where it compares with, and what it must not touch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plans import commit, edit, git, lab_fleet
from running import anvil_gen, tree


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A rendered fleet without a pending change."""
    return lab_fleet(tmp_path)


def test_nothing_changes(fleet: Path) -> None:
    hosts = ("cpu-demo", "fakoli-dark", "lab-quad", "spark-a", "spark-b")
    told = "".join(f"{host}: no changes\n" for host in hosts)

    assert anvil_gen("plan", "--all", cwd=fleet) == (0, told, "")
    assert anvil_gen("plan", "--all", "--against", "main", cwd=fleet) == (0, told, "")


def test_a_change_exits_2_and_writes_nothing(fleet: Path) -> None:
    edit(fleet, "max_sequences = 32", "max_sequences = 16")
    before = tree(fleet / "deploy")
    for against in ("disk", "HEAD"):
        found = anvil_gen("plan", "lab-quad", "--against", against, cwd=fleet)
        assert (found.code, found.stderr) == (2, "")
        assert found.stdout == (
            "lab-quad\n"
            "  ~ chat  recreate (away until its new container is ready; start: up to 15m)\n"
            "      max_sequences 32 -> 16 (--max-num-seqs)  hosts/lab-quad.toml:48\n"
        )

    assert tree(fleet / "deploy") == before


def test_the_disk_and_a_ref_are_two_things(fleet: Path) -> None:
    edit(fleet, "context_length = 65536", "context_length = 32768")
    assert anvil_gen("render", "lab-quad", cwd=fleet).code == 0

    assert anvil_gen("plan", "lab-quad", cwd=fleet).code == 0
    assert anvil_gen("plan", "lab-quad", "--against", "HEAD", cwd=fleet).code == 2
    commit(fleet)
    assert anvil_gen("plan", "lab-quad", "--against", "HEAD", cwd=fleet).code == 0
    assert anvil_gen("plan", "lab-quad", "--against", "HEAD~1", cwd=fleet).code == 2


def test_a_host_that_is_removed_stops(fleet: Path) -> None:
    (fleet / "hosts" / "cpu-demo.toml").unlink()
    found = anvil_gen("plan", "--all", "--against", "HEAD", "--format", "json", cwd=fleet)
    gone = next(host for host in json.loads(found.stdout)["hosts"] if host["host"] == "cpu-demo")

    assert found.code == 2
    assert {service["consequence"] for service in gone["services"]} == {"stop"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name at least one HOST, or --all"),
        (("lab-quad", "--all"), "name a HOST or --all, not both"),
        (("lab-quad", "--against", ""), "--against is empty"),
        (("lab-quad", "--against", "nope"), "unknown git ref"),
        (("lab-quad", "--against", "--all"), "unknown git ref"),
        (("nobody",), "unknown host"),
    ],
)
def test_an_error_exits_1(fleet: Path, arguments: tuple[str, ...], told: str) -> None:
    found = anvil_gen("plan", *arguments, cwd=fleet)

    assert found.code == 1
    assert told in found.stderr


def test_an_error_is_json_where_the_answer_is(fleet: Path) -> None:
    found = anvil_gen("plan", "lab-quad", "--against", "nope", "--format", "json", cwd=fleet)

    assert found.code == 1
    assert [one["code"] for one in json.loads(found.stdout)["diagnostics"]] == ["unknown-ref"]


def test_without_git_the_disk_can_be_planned_against(fleet: Path) -> None:
    edit(fleet, "port = 30001", "port = 30011")
    git(fleet, "config", "core.bare", "true")
    found = anvil_gen("plan", "lab-quad", cwd=fleet)

    assert found.code == 2
    assert "hosts/lab-quad.toml:62" in found.stdout
    assert "~ writer  recreate" in found.stdout


def test_an_uncommitted_checkout_of_a_folder_of_a_repository(fleet: Path, tmp_path: Path) -> None:
    """The fleet may be any folder of a repository."""
    outer = tmp_path / "outer"
    (outer / "boxes").mkdir(parents=True)
    for name in ("hosts", "deploy"):
        (fleet / name).rename(outer / "boxes" / name)
    git(outer, "init", "-q")
    commit(outer)
    edit(outer / "boxes", "port = 30001", "port = 30011")
    found = anvil_gen("plan", "hosts/lab-quad.toml", "--against", "HEAD", cwd=outer / "boxes")

    assert found.code == 2
    assert "port 30001 -> 30011" in found.stdout
