"""What root files include, and from where its relative paths are."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.resolve.root_files import included


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ({}, []),
        ({"include": ["tiers/a.yml"]}, [("tiers/a.yml", "tiers")]),
        ({"include": [{"path": "tiers/a.yml", "project_directory": "../.."}]}, [("tiers/a.yml", "../..")]),
        ({"include": [{"path": "tiers/a.yml"}]}, [("tiers/a.yml", "tiers")]),
        ({"include": "tiers/a.yml"}, []),
        ({"include": [None, 1, {"path": ["a", "b"]}, {}, "services/b.yml"]}, [("services/b.yml", "services")]),
    ],
)
def test_included(root: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert list(included(root)) == expected
