"""Texts of a compose file as an inventory holds them."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.importing.texts import without_nulls


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"environment": {"A": None, "B": True, "C": 1.0}}, {"environment": ["A", "B=true", "C=1"]}),
        ({"environment": {"A": 1}}, {"environment": {"A": 1}}),
        ({"build": {"args": {"A": None}, "labels": {"l": None}}}, {"build": {"args": ["A"], "labels": {"l": ""}}}),
        ({"networks": {"n": None, "m": {"aliases": None}}}, {"networks": {"n": {}, "m": {}}}),
        ({"command": None, "volumes": [{"type": "bind", "bind": None}]}, {"volumes": [{"type": "bind"}]}),
    ],
)
def test_what_is_null_is_said_without_it(written: dict[str, Any], expected: dict[str, Any]) -> None:
    assert without_nulls(written) == expected
