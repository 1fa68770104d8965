"""Texts of a compose file as an inventory holds them."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.importing.compose_files import read_project
from anvil_gen.importing.texts import without_newer, without_nulls


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


def test_keys_of_a_newer_compose_are_read_and_left_out() -> None:
    service = "{image: x, models: [m], build: {context: ., sbom: true}, labels: {models: m}}"
    project = read_project([], text=f"services: {{a: {service}}}\nmodels: {{m: {{}}}}\n")

    assert without_newer(project.tables["services"]["a"]) == {
        "image": "x",
        "build": {"context": "."},
        "labels": {"models": "m"},
    }
    assert project.extensions == ("models",)
