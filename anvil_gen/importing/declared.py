"""The volumes and networks that services name, as a compose file declares them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from anvil_gen.resolve.compose_keys import NAMED_VOLUME, long_mount


def declared(
    services: Iterable[Mapping[str, Any]], keys_of: Callable[[str], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the ``volumes`` and ``networks`` of services, each with the keys that it is declared with."""
    volumes: dict[str, Any] = {}
    networks: dict[str, Any] = {}
    for service in services:
        for mount in service.get("volumes", ()):
            long = long_mount(mount)
            source = str(long["source"])
            if long["type"] == "volume" and NAMED_VOLUME.fullmatch(source):
                volumes[source] = keys_of(source)
        networks |= {name: keys_of(name) for name in service.get("networks", ())}
    return {"volumes": volumes, "networks": networks}
