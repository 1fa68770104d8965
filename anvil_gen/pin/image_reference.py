"""The parts of an image's name, and what its tag says of a release."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from anvil_gen.patterns import lazy_pattern

DOCKER_HUB = "docker.io"
_RELEASE = lazy_pattern(
    r"(?<![a-z0-9])(?P<lead>[vbr]?)(?P<numbers>[0-9]+(?:\.[0-9]+)*)"
    r"(?P<post>\.?post[0-9]+)?(?![a-z0-9])"
)
_LOOPBACK = lazy_pattern(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?")
_SHORTEST_BUILD = 3
"""Digits of a number that is a release by itself, as a build's; fewer are a generation of GPUs or a part of a name."""


class ImageReference(Struct, frozen=True, kw_only=True):
    """An image's name, taken apart; ``registry`` and ``repository`` as Docker completes them."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def is_local(self) -> bool:
        """Whether its registry is on this machine, where Docker does without TLS if it must."""
        return _LOOPBACK.fullmatch(self.registry) is not None


def parse_image(name: str) -> ImageReference:
    """Return the parts of an image's name; without a tag or digest, Docker takes the tag `latest`."""
    rest, _, digest = name.partition("@")
    first, slash, path = rest.partition("/")
    if not slash or not (re.search("[.:]", first) or first == "localhost"):
        first, path = DOCKER_HUB, rest
    path, _, tag = path.partition(":")
    if first in (DOCKER_HUB, f"index.{DOCKER_HUB}"):
        first, path = DOCKER_HUB, path if "/" in path else f"library/{path}"
    return ImageReference(registry=first, repository=path, tag=tag or ("" if digest else "latest"), digest=digest)


def _release(tag: str) -> tuple[str, tuple[int, ...]] | None:
    """Return a tag's line, which is all but the release, and the release; None where it names none."""
    found = [match for match in _RELEASE.finditer(tag) if "." in match["numbers"] or _is_build(match["numbers"])]
    if not found:
        return None
    match = max(found, key=lambda match: ("." in match["numbers"], match.start()))
    numbers = tuple(int(part) for part in match["numbers"].split("."))
    post = int(re.sub("[^0-9]", "", match["post"])) if match["post"] else 0
    line = f"{tag[: match.start()]}{match['lead']}*{len(numbers)}{tag[match.end() :]}"
    return line, (*numbers, post)


def _is_build(numbers: str) -> bool:
    return len(numbers) > _SHORTEST_BUILD


def floats(tag: str) -> bool:
    """Tell whether a tag names no release: it moves with each of them."""
    return _release(tag) is None


def newer_tags(tag: str, tags: Iterable[str]) -> list[str]:
    """Return the tags of newer releases of the same line, the newest first: `v0.32.0-cu130` for `v0.31.1-cu130`."""
    own = _release(tag)
    if own is None:
        return []
    others = [(found[1], other) for other in set(tags) if (found := _release(other)) is not None and found[0] == own[0]]
    return [other for release, other in sorted(others, reverse=True) if release > own[1]]
