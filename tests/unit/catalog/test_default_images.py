"""Images that are taken where an inventory names none: each has a released tag, and it is said what is known of it."""

from __future__ import annotations

import re

import pytest
from images_page import default_images, known_images
from places import REPOSITORY

DEFAULTS = sorted(default_images(REPOSITORY / "templates"))


def test_each_is_listed_once_with_what_is_known_of_its_tag() -> None:
    entries = known_images()

    assert sorted(one["name"] for one in entries) == DEFAULTS
    assert [one["name"] for one in entries if ("known" in one) == ("unverified" in one)] == []


@pytest.mark.parametrize("image", DEFAULTS)
def test_none_moves_from_release_to_release(image: str) -> None:
    _, _, tag = image.rpartition(":")

    assert re.search("[0-9]", tag)
    assert not re.search("latest|nightly|main|edge|stable", tag)
