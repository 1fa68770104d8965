"""Which version of an engine an image holds, by its tag."""

from __future__ import annotations

import re

from msgspec import Struct

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.flag_timeline import FlagTimeline
from anvil_gen.values import EnvRef, Interpolation, Text, parts_of


class Release(Struct, frozen=True, kw_only=True):
    """A version of an engine, and how sure it is."""

    version: str
    certain: bool  # an official image whose tag says the version
    checked: tuple[str, ...]  # it was captured, or those before and after it, or the nearest


def image_version(engine: Engine, image: str) -> str:
    """Return the version that an official image's tag says; empty for any other image.

    A digest next to the tag changes nothing; an image by its digest alone says no version.
    """
    name = image.partition("@")[0]
    matches = (re.fullmatch(pattern, name) for pattern in engine.image_versions)
    return next((match["version"] for match in matches if match), "")


def release_of(engine: Engine, image: Text, timeline: FlagTimeline) -> Release:
    """Return the version of an image: the newest where its tag says none, or the image is a variable's."""
    version = timeline.newest_of_line(image_version(engine, plain_image(image))) or timeline.newest
    known = timeline.neighbours(version)
    said = isinstance(image, str) and image_version(engine, image) != ""
    return Release(version=version, certain=said and (len(known) > 1 or known == (version,)), checked=known)


def plain_image(image: Text) -> str:
    """Return an image's name with each variable's default in its place."""
    return "".join(part if isinstance(part, str) else _default(part) for part in parts_of(image))


def _default(variable: EnvRef | Interpolation) -> str:
    if isinstance(variable, EnvRef):
        return variable.default or ""
    return variable.word if variable.has_default else ""
