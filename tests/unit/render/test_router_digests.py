"""Digests of a router's files: one a tier, and one a file of all else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from running import INVENTORY, ROUTER, SECOND_TIER, fleet

from anvil_gen.deploy.pipeline import generator
from anvil_gen.render.router_digests import router_digests
from anvil_gen.resolve.router_model import digested_by, tier_variable

BASE = f'{INVENTORY}{SECOND_TIER}{ROUTER}aliases.a = "fast"\naliases.c = "heavy"\n'
CFG, JSON = "router/a.cfg", "router/a.json"
FILES = {
    CFG: "global\n    mode x\n\nbackend fast\n    timeout 1s\n\nbackend heavy\n    server fast x\n\nlisten x\n    y\n",
    JSON: '{\n  "models": [\n    "a"\n    , "c"\n  ]\n}\n',
}

Changed = Callable[[str, str, str], set[str]]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """Return whose digests are others where a file's text is."""
    router = generator().render(fleet(tmp_path, box=BASE) / "hosts" / "box.toml").host.stack.router
    assert router is not None

    def differing(path: str, before: str, after: str) -> set[str]:
        assert before in FILES[path]
        one, other = (
            {**digests.files, **digests.tiers}
            for digests in (
                router_digests(FILES, router),
                router_digests({**FILES, path: FILES[path].replace(before, after)}, router),
            )
        )
        return {name for name in one if one[name] != other[name]}

    return differing


@pytest.mark.parametrize(
    ("path", "before", "after", "whose"),
    [
        (CFG, "    timeout 1s", "    timeout 2s", {"fast"}),
        (CFG, "    server fast x", "    server fast y", {"heavy"}),
        (CFG, "    mode x", "    mode y", {CFG, "fast"}),
        (CFG, "    y", "    z", {CFG}),
        (CFG, "    mode x", "    acl c\n    mode x", {"heavy"}),
        (JSON, '"a"\n', '"a"\n    , "fast"\n', {"fast"}),
        (JSON, '"models"', '"names"', {JSON, "fast"}),
        (JSON, "  ]\n}", "  ]}", {JSON}),
    ],
)
def test_a_change_of_a_line_is_one_of_whoever_it_is_of(
    changed: Changed, path: str, before: str, after: str, whose: set[str]
) -> None:
    """What a tier's lines come behind is a part of them."""
    assert changed(path, before, after) == whose


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (JSON, '"a"\n    , "c"', '"c"\n    , "a"'),
        (CFG, "    mode x\n\nbackend fast\n    timeout 1s\n", "\nbackend fast\n    timeout 1s\n    mode x\n"),
        (CFG, "    timeout 1s\n\nbackend heavy\n", "\nbackend heavy\n    timeout 1s\n"),
    ],
)
def test_lines_that_change_places_are_a_change(changed: Changed, path: str, before: str, after: str) -> None:
    assert changed(path, before, after)


@pytest.mark.parametrize("name", ["chat", "chat-2", "a_2d", "A.b-_c"])
def test_a_variable_is_of_one_tier(name: str) -> None:
    assert tier_variable(name).replace("_", "a").isalnum()
    assert digested_by(tier_variable(name)) == f"routes of {name}"
