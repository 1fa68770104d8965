"""Where an inventory may have its tree: nowhere that something else is, and nowhere outside the fleet unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import INVENTORY, anvil_gen, commit_all, fleet, listing, tree

from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.diagnostics import DiagnosticError

TAKEN = {
    "the fleet": "..",
    "above the fleet": "../..",
    "hosts": ".",
    "in hosts": "deploy",
    "templates": "../templates",
    "in templates": "../templates/engines",
    "locks": "../locks",
    "above hosts, by a link": "../up",
    "outside": "../../elsewhere",
    "outside, absolute": "/srv/deploy/box",
    "outside, by a link": "../out/box",
    "a home": "~",
    "in a home": "~/box",
    "the root": "/",
    "hidden": "../.git/hooks",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fleet with links that lead out of it."""
    home = fleet(tmp_path / "fleet", box=INVENTORY)
    (home / "up").symlink_to("..")
    (home / "out").symlink_to("../elsewhere")
    (tmp_path / "elsewhere").mkdir()
    return home


def with_output(output: str) -> str:
    return INVENTORY.replace("schema = 1", f'schema = 1\n[host]\noutput = "{output}"')


def errors(home: Path, name: str = "box", output: Path | None = None) -> list[tuple[str, int | None]]:
    with pytest.raises(DiagnosticError) as caught:
        Generator().render(home / "hosts" / f"{name}.toml", output=output)
    return [(error.code, error.location.line if error.location else None) for error in caught.value.diagnostics]


@pytest.mark.parametrize("output", TAKEN.values(), ids=TAKEN)
def test_no_output_is_somebody_elses(home: Path, output: str) -> None:
    fleet(home, box=with_output(output))

    assert errors(home) == [("invalid-name" if ".git" in output else "not-a-folder-for-the-tree", 3)]


@pytest.mark.parametrize("output", ["../deploy/box", "../examples/x/y", "../out-of-here", "../deploy.d"])
def test_a_folder_of_its_own(home: Path, output: str) -> None:
    fleet(home, box=with_output(output))

    assert Generator().render(home / "hosts" / "box.toml").host.output == home / output.removeprefix("../")


@pytest.mark.parametrize("output", ["../deploy", "../deploy/other/tiers", "../deploy/other/x/y"])
def test_no_output_is_in_or_above_that_of_another_host(home: Path, output: str) -> None:
    fleet(home, box=with_output(output), other=INVENTORY)

    assert errors(home) == [("output-taken-twice", 3)]


@pytest.mark.parametrize("output", ["", "..", "hosts", "hosts/x", "templates", "/"])
def test_not_even_a_person_renders_over_these(home: Path, output: str) -> None:
    assert errors(home, output=home / output) == [("not-a-folder-for-the-tree", None)]


def test_a_home_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home.parent / "elsewhere"))

    assert errors(home, output=home.parent / "elsewhere") == [("not-a-folder-for-the-tree", None)]


def test_outside_it_takes_a_person_each_time(home: Path) -> None:
    outside = home.parent / "elsewhere" / "box"
    fleet(home, box=with_output("../../elsewhere/box"))
    refused = anvil_gen("render", "box", cwd=home)
    assert (refused.code, listing(outside.parent)) == (1, [])
    assert "--output" in refused.stderr

    write([Generator().render(home / "hosts" / "box.toml", output=outside)])
    assert (outside / "docker-compose.yml").is_file()
    assert errors(home) == [("not-a-folder-for-the-tree", 3)]


def test_no_tree_of_another_fleet_is_taken_by_the_name_of_its_inventory(home: Path) -> None:
    stranger = fleet(home.parent / "stranger", box=with_output("../../fleet/deploy/box").replace("30001", "30999"))
    fleet(home, box=INVENTORY)
    assert anvil_gen("render", "box", cwd=home).code == 0
    commit_all(home)
    before = tree(home / "deploy")

    assert anvil_gen("render", "box", cwd=stranger).code == 1
    assert tree(home / "deploy") == before
