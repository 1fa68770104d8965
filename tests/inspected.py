"""What `docker inspect` prints of a container, made up."""

from __future__ import annotations

from typing import Any

from anvil_gen.machine.containers import Container, container


def inspected(host: dict[str, Any] | None = None, **config: Any) -> Container:
    """Return a container as Docker describes it."""
    mounts = config.pop("Mounts", [])
    return container(
        {
            "Id": "1",
            "Name": "/fast",
            "Image": "sha256:2",
            "State": {"Status": "running"},
            "Mounts": mounts,
            "HostConfig": host or {},
            "Config": {"Image": "vllm:1", **config},
        }
    )
