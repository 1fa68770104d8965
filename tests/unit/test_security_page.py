"""The page on security: each claim names tests, and they exist."""

from __future__ import annotations

import ast
import re

import pytest
from places import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text("utf-8")
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| ")][1:]
ROWS = [[cell.strip() for cell in row] for row in ROWS if not row[0].strip().startswith("---")]


def test_all_who_are_not_trusted_are_named() -> None:
    said = {who for row in ROWS for who in row[0].split(", ")}

    assert {"a pull request", "a cloned tree", "`.env`", "a client", "a tier"} <= said


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[1][:40]}")
def test_each_claim_names_a_test_that_exists(row: list[str]) -> None:
    who, claim, held_by = row
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", held_by)

    assert who
    assert claim
    assert named
    assert re.sub(r"`[^`]*`|[, ]", "", held_by) == ""
    for path, name in named:
        tree = ast.parse((REPOSITORY / path).read_text("utf-8"))
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert any(test.startswith("test_") for test in tests)
        assert not name or name in tests
