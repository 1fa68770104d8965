"""What differs between two inventories, key by key, and one edit taken back."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from places import REPOSITORY

from anvil_gen.review.toml_edits import edits, reverted, toml_text
from anvil_gen.values import Number, address

# name -> (before, after, (path, before, after)...)
CASES: dict[str, tuple[str, str, list[tuple[str, Any, Any]]]] = {
    "nothing": ("a.b = 1", "a = { b = 1 }", []),
    "a key": ("tiers.x.port = 1", "tiers.x.port = 2", [("tiers.x.port", 1, 2)]),
    "a new key": ("tiers.x.port = 1", "tiers.x = { port = 1, ipc = 'host' }", [("tiers.x.ipc", None, "host")]),
    "a new flag": ("tiers.x.port = 1", "tiers.x = { port = 1, flags.a = 2 }", [("tiers.x.flags.a", None, 2)]),
    "a new tier": ("", "tiers.x = { port = 1 }", [("tiers.x", None, {"port": 1})]),
    "a tier that goes": ("tiers.x = { port = 1 }", "", [("tiers.x", {"port": 1}, None)]),
    "a tier with another name": (
        "tiers.x = { port = 1, ipc = 'host' }",
        "tiers.y = { port = 1, ipc = 'host' }",
        [("tiers.y", "x", "y")],
    ),
    "another name and another value": (
        "tiers.x = { port = 1, ipc = 'host' }",
        "tiers.y = { port = 2, ipc = 'host' }",
        [("tiers.y.port", 1, 2), ("tiers.y", "x", "y")],
    ),
    "another tier in its place": (
        "tiers.x = { port = 1, ipc = 'host' }",
        "tiers.y = { port = 2, ipc = 'private' }",
        [("tiers.y", None, {"port": 2, "ipc": "private"}), ("tiers.x", {"port": 1, "ipc": "host"}, None)],
    ),
    "a new router": ("", "router.port = 1", [("router", None, {"port": 1})]),
    "a new path": ("", "paths.models = '/m'", [("paths.models", None, "/m")]),
    "a model is one thing": (
        "tiers.x.model = { repo = 'a' }",
        "tiers.x.model = { path = 'b' }",
        [("tiers.x.model", {"repo": "a"}, {"path": "b"})],
    ),
    "a list": ("tiers.x.gpus = ['a']", "tiers.x.gpus = ['b']", [("tiers.x.gpus", ["a"], ["b"])]),
    "a variable": (
        "tiers.x.image = 'a'",
        "tiers.x.image = { env = 'A' }",
        [("tiers.x.image", "a", {"env": "A"})],
    ),
    "a number's spelling": ("tiers.x.flags.t = 0.9", "tiers.x.flags.t = 0.90", [("tiers.x.flags.t", 0.9, 0.9)]),
    "true is no number": ("tiers.x.flags.t = 1", "tiers.x.flags.t = true", [("tiers.x.flags.t", 1, True)]),
}


def parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text, parse_float=Number)


@pytest.mark.parametrize("name", CASES)
def test_edits(name: str) -> None:
    before, after, expected = CASES[name]

    found = list(edits(parsed(before), parsed(after)))

    assert [(address(one.path), one.before, one.after) for one in found] == expected


@pytest.mark.parametrize("name", CASES)
def test_each_edit_taken_back_is_where_it_began(name: str) -> None:
    before, after = map(parsed, CASES[name][:2])
    data = after
    for edit in edits(before, after):
        data = reverted(data, edit)

    # A table that was not there may be left empty, which says nothing.
    assert [edit for edit in edits(before, data) if edit.after != {}] == []
    assert after == parsed(CASES[name][1])


def test_the_text_of_an_inventory_reads_the_same() -> None:
    for path in (REPOSITORY / "hosts").glob("*.toml"):
        data = parsed(path.read_text("utf-8"))
        assert list(edits(data, parsed(toml_text(data)))) == []


_VALUES = st.recursive(
    st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@examples(50)
@given(st.dictionaries(st.text(), _VALUES, max_size=4))
def test_any_data_is_written_as_toml(data: dict[str, Any]) -> None:
    assert parsed(toml_text(data)) == data
