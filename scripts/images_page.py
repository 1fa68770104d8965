"""The page of the images that are taken where an inventory names none: what is known of each tag."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from page_parts import NOTE, table

KNOWN = Path(__file__).with_name("default_images.toml")
_PLACES = ("engines/*/engine.toml", "routers/*/router.toml", "gpus/*/gpu.toml", "defaults.toml")


def images_page() -> str:
    """Return the page of all default images."""
    rows = ((f"`{one['name']}`", one["known"], _source(one)) for one in known_images())
    without = ((f"`{one['engine']}`", one["why"], _source(one)) for one in known_images("without"))
    lines = [
        NOTE,
        "# Default images",
        "",
        "Where an inventory names no image, it gets one of these, each a released version. No registry was asked for",
        "this list: somebody has published the digest of a tag or a run of it, or the project's own build of that",
        "release names it. [`anvil-gen pin`](pins.md) asks the registry, `anvil-gen doctor` whether an image can be",
        "pulled.",
        "",
        *table(("image", "what is known", "source"), rows),
        "",
        "A tier of one of these engines names its image:",
        "",
        *table(("engine", "why", "source"), without),
    ]
    return "\n".join([*lines, ""])


def known_images(table_of: str = "image") -> list[Mapping[str, str]]:
    """Return what is known of each default image, or of each engine `without` one."""
    found: list[Mapping[str, str]] = tomllib.loads(KNOWN.read_text("utf-8"))[table_of]
    return found


def default_images(templates: Path) -> set[str]:
    """Return the images that the data takes where an inventory names none."""
    files = (file for place in _PLACES for file in templates.glob(place))
    presets = (templates / "onboard/fleet/hosts/{{ machine }}.toml.jinja").read_text("utf-8")
    found = {image for file in files for image in _images(tomllib.loads(file.read_text("utf-8")))}
    return found | set(re.findall('^image = "(.+)"$', presets, re.MULTILINE))


def _images(table_of: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table_of.items():
        if isinstance(value, str) and (key in ("image", "image_cpu") or key.endswith("_image")):
            yield value
        elif key in ("images", "architectures") and isinstance(value, dict):
            yield from (image for images in value.values() if isinstance(images, dict) for image in images.values())
        elif isinstance(value, dict):
            yield from _images(value)


def _source(one: Mapping[str, str]) -> str:
    return f"{one['source']} ({one['date']})"
