"""Whatever text stands in an inventory, real Docker Compose reads it back unchanged, at its place.

Texts go through every place that takes any, as the generated schema lists them; `scripts/test --long` sends many more.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from compose_cli import compose_config
from effort import EFFORT
from strange_boxes import Box, around, custom, file_model, lone, lone_default, many, single
from strange_mounts import declaring, drafting, mounting, of_many_models
from strange_values import HOSTILE, NOT_DRIVEN, texts

from anvil_gen.deploy.pipeline import Generator, write

AT_LEAST = 10_000 * EFFORT
AT_ONCE = 2

_TIER = re.compile(r"^(?:tiers\.\*|defaults)\.")

Wrong = tuple[str, str, Any]
"""The place, the text, and what Compose or the router's own reader has there."""


def wide(folder: Path, seed: int) -> Box:
    """Many texts in few tables."""
    box = Box(folder, seed)
    for _ in range(6):
        many(box, 56)
        custom(box, 50)
    around(box, 150)
    return box


def narrow(folder: Path, seed: int) -> Box:
    """One text in each field of many tiers."""
    box = Box(folder, seed)
    for _ in range(40):
        single(box)
        file_model(box)
    around(box, 1)
    return box


def joined(folder: Path, seed: int) -> Box:
    """Tiers that mount, are built, and are on networks."""
    box = Box(folder, seed)
    for _ in range(20):
        mounting(box)
        of_many_models(box)
        drafting(box)
    return box


def by_default(kind: Callable[[Box], None]) -> Callable[[Path, int], Box]:
    """Return what puts texts where they stand for all tiers, of which there is one."""

    def box(folder: Path, seed: int) -> Box:
        made = Box(folder, seed)
        kind(made)
        return made

    return box


KINDS: list[tuple[Callable[[Path, int], Box], int]] = [
    (wide, 3),
    (narrow, 2),
    (joined, 1),
    (by_default(declaring), 3),
    (by_default(lambda box: mounting(box, place="defaults")), 2),
    (by_default(lambda box: of_many_models(box, place="defaults")), 2),
    (by_default(lambda box: drafting(box, place="defaults")), 2),
    (by_default(lone), len(HOSTILE) // 4),
    (by_default(lone_default), len(HOSTILE) // 8),
    (by_default(lambda box: single(box, place="defaults")), 5),
    (by_default(lambda box: file_model(box, place="defaults")), 5),
    (by_default(lambda box: many(box, 20, place="defaults")), 1),
    (by_default(lambda box: custom(box, 20, place="defaults")), 1),
]
"""A kind of inventory, and how many of it."""


def check(box: Box) -> list[Wrong]:
    """Render and write one inventory, and return what does not come back as it was."""
    out = box.folder / "deploy" / "box"
    write([Generator().render(box.write())])
    wrong = list(_wrong(box.main, compose_config(out, "docker-compose.yml")))
    if box.slot:
        wrong += _wrong(box.slot, compose_config(out, "docker-compose.experiment.yml", env={"MODEL": "a/b"}))
    files = [tomllib.loads((out / path).read_text("utf-8")) for path in ("router/router.toml", "serves.toml")]
    wrong += _wrong(box.router, files[0] | files[1], dollar="$")
    if box.mode:
        compose_config(out, "docker-compose.night.yml")
        wrong += _wrong(box.mode, tomllib.loads((out / "router" / "router.night.toml").read_text("utf-8")), dollar="$")
    return wrong


def _wrong(
    expected: Iterable[tuple[str, str, Callable[[Any], Any]]], config: Any, *, dollar: str = "$$"
) -> Iterable[Wrong]:
    config = _single(config) if dollar == "$$" else config
    for place, text, find in expected:
        found = find(config)
        if found != text:
            yield place, text, found


def _single(value: Any) -> Any:
    """Return Compose's answer without the doubling of `$`, in keys too, with which it prints every text."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {key.replace("$$", "$"): _single(item) for key, item in value.items()}
    return [_single(item) for item in value] if isinstance(value, list) else value


def test_every_text_comes_back_unchanged(tmp_path: Path) -> None:
    kinds = [kind for kind, amount in KINDS for _ in range(amount * EFFORT)]

    def checked(number: int) -> tuple[list[Wrong], int, set[str]]:
        folder = tmp_path / str(number)
        box = kinds[number](folder, number)
        wrong = check(box)
        shutil.rmtree(folder)
        return wrong, sum(map(len, (box.main, box.slot, box.router, box.mode))), box.driven

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(checked, range(len(kinds))))
    assert [wrong for found, _, _ in results for wrong in found] == []
    assert sum(amount for _, amount, _ in results) >= AT_LEAST
    driven = {address for _, _, addresses in results for address in addresses}
    left_out = {address for address in texts() if _TIER.sub("", address) in NOT_DRIVEN}
    assert texts().keys() - driven - left_out == set(), "these places take text, and no text is sent through them"
