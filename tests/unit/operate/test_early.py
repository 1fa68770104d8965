"""Questions about the project that an inventory seems to have."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import REPOSITORY
from running import INVENTORY, fleet

from anvil_gen.machine.compose import Project
from anvil_gen.operate.deployment import open_deployment
from anvil_gen.operate.early import EarlyQuestions

TOLD = {
    "defaults": "",
    "name": 'name = "other"',
    "project": 'name = "other"\nproject = "third"',
    "output": 'output = "../elsewhere/box"',
    "context": 'docker_context = "far"',
    "the default target": 'target = "compose"',
}
"""What a look at `[host]` tells."""
UNTOLD = {
    "a variable": 'project = { env = "PROJECT", default = "box" }',
    "a type": "project = 3",
    "a target": 'target = "quadlet"',
    "no TOML": "project =",
    "a folder outside of the fleet": 'output = "../../elsewhere"',
    "a link to one": 'output = "../way-out/box"',
}
"""What it does not, or what is not asked."""


@pytest.fixture(autouse=True)
def _in_the_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def with_host(keys: str) -> str:
    """Return an inventory with some keys in `[host]`."""
    return INVENTORY.replace("[paths]", f"[host]\n{keys}\n[paths]")


def asked(folder: Path, host: str = "box") -> tuple[EarlyQuestions[Path], list[Project]]:
    """Return early questions about a host, and the projects that are asked about, to which each adds itself."""
    projects: list[Project] = []

    def ask(project: Project) -> Path:
        projects.append(project)
        return project.folder

    return EarlyQuestions(host, folder, ask), projects


@pytest.mark.parametrize("host", TOLD.values(), ids=TOLD)
def test_the_project_is_the_one_of_the_whole_inventory(host: str, tmp_path: Path) -> None:
    early, projects = asked(fleet(tmp_path, box=with_host(host)))
    project = open_deployment("box", tmp_path).project

    assert early.about(project) == project.folder
    assert [one.place for one in projects] == [project.place]


@pytest.mark.parametrize("host", UNTOLD.values(), ids=UNTOLD)
def test_what_is_not_plain_is_not_asked(host: str, tmp_path: Path) -> None:
    (tmp_path / "way-out").symlink_to(tmp_path.parent)
    _, projects = asked(fleet(tmp_path, box=with_host(host)))

    assert projects == []


@pytest.mark.parametrize("host", ["", "nobody", "hosts", "box.toml"])
def test_a_host_that_is_not_there_is_told_by_who_reads_it(host: str, tmp_path: Path) -> None:
    _, projects = asked(fleet(tmp_path, box=INVENTORY), host)

    assert projects == []


def test_another_project_is_asked_about_anew(tmp_path: Path) -> None:
    early, projects = asked(fleet(tmp_path, box=INVENTORY, other=INVENTORY))
    project = open_deployment("other", tmp_path).project

    assert early.about(project) == project.folder
    assert [one.name for one in projects] == ["box", "other"]


def test_every_host_of_this_repository_is_told_early() -> None:
    for path in sorted((REPOSITORY / "hosts").glob("*.toml")):
        early, projects = asked(path.parent, str(path))
        early.about(open_deployment(str(path), path.parent).project)

        assert len(projects) == 1, path.name
