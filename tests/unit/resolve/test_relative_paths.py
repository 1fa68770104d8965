"""Relative paths of an inventory and of the tree, as the files of the tree have them."""

from __future__ import annotations

import pytest
from contexts import context_of
from msgspec.structs import replace

from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.relative_paths import in_tree, move_to, project_directory, with_context


def context(named: str | None) -> ResolveContext:
    return replace(context_of(""), project_directory=named)


@pytest.mark.parametrize(
    ("named", "folder", "expected"),
    [
        (None, "tiers", "../../../hosts/data"),
        (None, "", "../../hosts/data"),
        ("..", "tiers", "./hosts/data"),
        ("..", "services", "./hosts/data"),
        (".", "tiers", "./data"),
        ("../stack", "tiers", "../hosts/data"),
        ("..", "router", "../../../hosts/data"),
        ("..", "", "../../hosts/data"),
    ],
)
def test_of_the_inventory(named: str | None, folder: str, expected: str) -> None:
    assert move_to(context(named), folder)("./data") == expected


@pytest.mark.parametrize("named", [None, "..", "../stack"])
def test_what_is_not_relative_stays(named: str | None) -> None:
    assert [move_to(context(named), "tiers")(path) for path in ("/x", "~/x", "C:/x", "")] == ["/x", "~/x", "C:/x", ""]


@pytest.mark.parametrize(
    ("named", "path", "expected"),
    [
        (None, "./one.files/etc/x", "./one.files/etc/x"),
        (None, "../monitoring", "../monitoring"),
        ("..", "./one.files/etc/x", "./deploy/box/tiers/one.files/etc/x"),
        ("..", "../monitoring", "./deploy/box/monitoring"),
        ("../stack", "../monitoring", "../deploy/box/monitoring"),
    ],
)
def test_of_the_tree(named: str | None, path: str, expected: str) -> None:
    assert in_tree(context(named), "tiers")(path) == expected


@pytest.mark.parametrize(("named", "expected"), [(None, ""), ("..", "../.."), (".", "../../hosts")])
def test_of_the_root_files(named: str | None, expected: str) -> None:
    assert project_directory(context(named)) == expected


def test_a_build_without_a_context_is_of_the_inventorys_folder() -> None:
    assert with_context({"build": {"dockerfile": "x"}}) == {"build": {"context": ".", "dockerfile": "x"}}
    for keys in ({"build": "app"}, {"build": {"context": "app"}}, {"build": {"env": "APP"}}, {"image": "x:1"}):
        assert with_context(keys) == keys
