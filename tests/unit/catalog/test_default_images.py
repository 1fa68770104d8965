"""Images that are taken where an inventory names none: each has a released tag, and it is said what is known of it."""

from __future__ import annotations

import re
import tomllib

import pytest
from images_page import default_images, known_images
from places import REPOSITORY

DEFAULTS = sorted(default_images(REPOSITORY / "templates"))


def test_each_is_listed_once_with_what_is_known_of_its_tag() -> None:
    entries = known_images()

    assert sorted(one["name"] for one in entries) == DEFAULTS
    assert [one["name"] for one in entries if not all(one.get(key) for key in ("known", "source", "date"))] == []


def test_it_is_said_why_an_engine_has_no_default() -> None:
    engines = (REPOSITORY / "templates/engines").glob("*/engine.toml")
    without = [file.parent.name for file in engines if "image" not in tomllib.loads(file.read_text("utf-8"))]

    assert [one["engine"] for one in known_images("without") if one["why"] and one["source"]] == sorted(without)


@pytest.mark.parametrize("image", DEFAULTS)
def test_none_moves_from_release_to_release(image: str) -> None:
    _, _, tag = image.rpartition(":")

    assert re.search("[0-9]", tag)
    assert not re.search("latest|nightly|main|edge|stable", tag)
