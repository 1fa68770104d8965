"""A vendor's data that is of the right form, and means nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from anvil_gen.catalog.gpu_vendor import Vendor, semantic_errors

DATA = {
    "title": "Toy",
    "uuid_pattern": "TOY-[0-9]+",
    "uuid_help": "it stands on the box",
    "requests": {"reservation": {}},
}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, []),
        ({"uuid_pattern": "("}, [(("uuid_pattern",), "it is no regular expression")]),
        ({"listing": [{"command": ["x"], "pattern": "(?P<uuid>.*)[0-"}]}, [(("listing", 0, "pattern"), "no regular")]),
        ({"listing": [{"command": ["x"], "pattern": ".*"}]}, [(("listing", 0, "pattern"), "no group (?P<uuid>")]),
        (
            {"listing": [{"command": ["x"], "pattern": "(?P<uuid>.)(?P<colour>.)"}]},
            [(("listing", 0, "pattern"), '"colour" is no group that is read: uuid, name')],
        ),
        ({"probe": {"command": ["x"], "pattern": "x"}}, [(("probe", "pattern"), "no group (?P<uuid>")]),
        ({"platforms": {"wsl1": {}}}, [(("platforms", "wsl1"), '"wsl1" is not one of')]),
    ],
)
def test_meaningless_data(more: dict[str, Any], expected: list[Any]) -> None:
    found = list(semantic_errors(msgspec.convert({**DATA, **more}, Vendor)))

    assert [path for path, _ in found] == [path for path, _ in expected]
    assert [part in detail for (_, detail), (_, part) in zip(found, expected, strict=True)] == [True] * len(expected)
