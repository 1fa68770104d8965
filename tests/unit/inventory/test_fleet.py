"""Where the things of a fleet lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.diagnostics import DiagnosticError, display_path
from anvil_gen.inventory.fleet import all_inventories, find_inventory, fleet_root, header_name, host_names


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet of two hosts, with what else may lie in hosts/."""
    for path in (
        "hosts/able.toml",
        "hosts/bravo.toml",
        "hosts/.bravo.toml",
        "hosts/notes.md",
        "deploy/a/x.yml",
        "plain",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "hosts" / "folder.toml").mkdir()
    (tmp_path / "hosts" / "link.toml").symlink_to("nowhere")
    (tmp_path / "able").mkdir()
    return tmp_path


@pytest.mark.parametrize("start", ["", "hosts", "deploy/a"])
def test_names_are_found_from_any_folder(fleet: Path, start: str) -> None:
    assert host_names(fleet / start) == ["able", "bravo"]


@pytest.mark.parametrize(
    ("host", "start", "expected"),
    [
        ("able", "", "hosts/able.toml"),  # the folder `able` beside it is none
        ("able", "hosts", "able.toml"),
        ("able", "deploy/a", "../../hosts/able.toml"),
        ("plain", "", "plain"),
        ("deploy", "", "deploy"),  # a folder: reported when it is read
        ("link", "", "hosts/link.toml"),  # a link to nothing, likewise
        ("x.toml", "", "x.toml"),
        ("x/y", "", "x/y"),
    ],
)
def test_found(fleet: Path, host: str, start: str, expected: str) -> None:
    assert find_inventory(host, fleet / start).as_posix() == expected


@pytest.mark.parametrize(
    ("host", "detail", "remedy"),
    [
        ("abel", '"abel" is not an inventory: hosts/ has: able, bravo', 'did you mean "able"?'),
        ("zzz", '"zzz" is not an inventory: hosts/ has: able, bravo', "name a host, or the path of its .toml file"),
        ("", '"" is not an inventory: hosts/ has: able, bravo', "name a host, or the path of its .toml file"),
        (
            "y" * 300,
            f'"{"y" * 300}" is not an inventory: hosts/ has: able, bravo',
            "name a host, or the path of its .toml file",
        ),
        ("\0", '"\0" is not an inventory: hosts/ has: able, bravo', "name a host, or the path of its .toml file"),
    ],
)
def test_unknown(fleet: Path, host: str, detail: str, remedy: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        find_inventory(host, fleet)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.summary, diagnostic.detail, diagnostic.remedy) == ("unknown host", detail, remedy)


def test_all(fleet: Path) -> None:
    assert [path.as_posix() for path in all_inventories(fleet / "deploy")] == [
        "../hosts/able.toml",
        "../hosts/bravo.toml",
    ]


def test_all_of_no_fleet_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    with pytest.raises(DiagnosticError, match="no inventories"):
        all_inventories(tmp_path)


@pytest.mark.parametrize(
    ("inventory", "root", "header"),
    [("hosts/able.toml", ".", "hosts/able.toml"), ("plain", ".", "plain"), ("deploy/a/b.toml", "deploy/a", "b.toml")],
)
def test_root_and_header(fleet: Path, inventory: str, root: str, header: str) -> None:
    assert (fleet_root(fleet / inventory), header_name(fleet / inventory)) == (fleet / root, header)


@pytest.mark.parametrize(
    ("path", "expected"), [("/a/b", "."), ("/a/b/c", "c"), ("/a/x", "../x"), ("/v/w/x/y", "../../v/w/x/y")]
)
def test_shown(path: str, expected: str) -> None:
    assert display_path(Path(path), Path("/a/b")) == expected


def test_far_away_is_shown_whole() -> None:
    assert display_path(Path("/v"), Path("/a/b/c/d")) == "/v"


def test_a_fleet_without_inventories(tmp_path: Path) -> None:
    for detail in ("there is no hosts/ folder here or above", "hosts/ holds no .toml file"):
        with pytest.raises(DiagnosticError) as caught:
            find_inventory("box", tmp_path)
        assert [diagnostic.detail for diagnostic in caught.value.diagnostics] == [
            f'"box" is not an inventory: {detail}'
        ]
        (tmp_path / "hosts").mkdir(exist_ok=True)
