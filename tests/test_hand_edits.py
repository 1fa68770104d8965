"""What a person wrote into a rendered folder: told apart, shown, and overwritten only where they say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running import INVENTORY, ROUTER, SECOND_TIER, Result, anvil_gen, fleet, tree

BY_HAND = "file was changed by hand"
NOT_OURS = "file was not made by anvil-gen"
OTHERS = "output taken twice"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A rendered fleet of one host, whose inventory has lost a tier since."""
    home = fleet(tmp_path, box=INVENTORY + SECOND_TIER + ROUTER)
    assert anvil_gen("render", "box", cwd=home).code == 0
    return fleet(home, box=INVENTORY + ROUTER)


def told(result: Result) -> list[tuple[str, str]]:
    """Return summary and file of each fault."""
    return [(fault["summary"], Path(fault["file"]).name) for fault in json.loads(result.stdout)["diagnostics"]]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8", newline="\n")


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("docker-compose.yml", "name: box", "name: my-box", [(BY_HAND, "docker-compose.yml")]),
        ("docker-compose.yml", "include:", "include:  # mine", [(BY_HAND, "docker-compose.yml")]),
        ("tiers/heavy.yml", "init: true", "init: false", [(BY_HAND, "heavy.yml")]),  # it would be removed
        ("tiers/heavy.yml", "# Made by anvil-gen", "# Made by me with anvil-gen", [(NOT_OURS, "heavy.yml")]),
        ("docker-compose.yml", "from hosts/box.toml.", "from hosts/other.toml.", [(OTHERS, "box.toml")]),
    ],
)
def test_whose_a_file_is(home: Path, path: str, old: str, new: str, expected: list[tuple[str, str]]) -> None:
    folder = home / "deploy" / "box"
    edit(folder / path, old, new)
    before = tree(folder)
    result = anvil_gen("render", "box", "--json", cwd=home)

    assert told(result) == expected
    assert result.code == 1
    assert tree(folder) == before


def test_the_diff_shows_what_would_be_lost(home: Path) -> None:
    edit(home / "deploy" / "box" / "tiers" / "heavy.yml", "init: true", "init: false")
    result = anvil_gen("render", "box", cwd=home)

    assert "  -    init: false\n" in result.stderr
    assert "\n  to keep it, write what it says into hosts/box.toml and render again\n" in result.stderr
    assert result.stderr.endswith("  to remove it:\n\n      anvil-gen render hosts/box.toml --force\n\n")


def test_an_edit_that_the_inventory_says_too_is_kept(home: Path) -> None:
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    edit(path, "65536", "32768")
    edited = path.read_text("utf-8")
    fleet(home, box=INVENTORY.replace("65536", "32768") + ROUTER)

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert path.read_text("utf-8") == edited


def test_force_overwrites_and_is_needed_once(home: Path) -> None:
    edit(home / "deploy" / "box" / "tiers" / "heavy.yml", "init: true", "init: false")
    assert anvil_gen("render", "box", "--force", cwd=home).code == 0
    written = tree(home / "deploy" / "box")
    fleet(home, box=INVENTORY + SECOND_TIER + ROUTER)

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert written.keys() < tree(home / "deploy" / "box").keys()


def test_an_edit_taken_back_is_no_edit(home: Path) -> None:
    path = home / "deploy" / "box" / "tiers" / "heavy.yml"
    edit(path, "init: true", "init: false")
    assert anvil_gen("render", "box", cwd=home).code == 1
    edit(path, "init: false", "init: true")

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert not path.exists()


def test_a_file_removed_by_hand_comes_back(home: Path) -> None:
    (home / "deploy" / "box" / "tiers" / "fast.yml").unlink()

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert "tiers/fast.yml" in tree(home / "deploy" / "box")


def test_files_of_a_persons_own_stay(home: Path) -> None:
    folder = home / "deploy" / "box"
    own = {"notes.txt": "mine\n", "tiers/mine.yml": (folder / "tiers" / "heavy.yml").read_text("utf-8"), "x/y/z": ""}
    for path, text in own.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")

    assert anvil_gen("render", "box", "--force", cwd=home).code == 0
    assert own.items() <= tree(folder).items()
