"""Files of a host as a container sees them: by its mounts alone, so that a link may lead to nothing there."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path

_MOST_LINKS = 40
"""As many as Linux follows."""


class ContainerFiles:
    """What a container opens, by its mounts: the host's path of each place; None for one that is not seen from here."""

    def __init__(self, mounts: Mapping[str, Path | None]) -> None:
        """Take the host's folder or file that is mounted at each place."""
        self._mounts = {posixpath.normpath(target): source for target, source in mounts.items()}

    def has(self, path: str) -> bool:
        """Tell whether a container can open a path; what is mounted from elsewhere it is believed to have."""
        found = self._followed(path)
        if found is None:
            return False
        mount = self._mount_of(found)
        if mount is None:
            return False
        source = self._mounts[mount]
        return source is None or os.path.lexists(_inside(source, mount, found))

    def _followed(self, path: str) -> str | None:
        """Return a path without links, each followed in the container; None for links in a circle."""
        parts, place, links = _parts(path), "/", 0
        while parts:
            part = parts.pop(0)
            place = posixpath.normpath(posixpath.join(place, part))
            link = self._link_at(place)
            if link is not None:
                links += 1
                parts = [*_parts(link), *parts]
                place = "/" if link.startswith("/") else posixpath.dirname(place)
            if links > _MOST_LINKS:
                return None
        return place

    def _link_at(self, place: str) -> str | None:
        """Return what a place links to; Docker itself follows those that are mounted."""
        mount = self._mount_of(place)
        source = self._mounts[mount] if mount is not None and mount != place else None
        try:
            return str(_inside(source, mount or "", place).readlink()) if source is not None else None
        except OSError:  # it is no link, or is not there
            return None

    def _mount_of(self, place: str) -> str | None:
        """Return the innermost mount that has a place."""
        around = (mount for mount in self._mounts if place == mount or place.startswith(f"{mount.rstrip('/')}/"))
        return max(around, key=len, default=None)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _inside(source: Path, mount: str, place: str) -> Path:
    return Path(source, posixpath.relpath(place, mount)) if place != mount else source
