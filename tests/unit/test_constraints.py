"""``constraints.txt``: every version that the tests run with, and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def _lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_a_line_is_a_name_and_its_version() -> None:
    """No address of an index or of a file may stand there."""
    assert [line for line in _lines() if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", line)] == []


def test_every_direct_requirement_has_its_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [Requirement(text) for text in (*project["dependencies"], *project["optional-dependencies"]["dev"])]
    versions = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in _lines())}
    missing = [
        str(wish) for wish in wanted if not wish.specifier.contains(versions.get(canonicalize_name(wish.name), ""))
    ]
    assert missing == []
