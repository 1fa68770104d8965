"""The Docker of a host: the client, Compose, and the daemon, which may run on another machine."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.machine.docker import Docker, failure

OLDEST_DOCKER = (20, 10)
OLDEST_COMPOSE = (2, 20)
IMAGE_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Processors, as the kernel names them -> as images do."""


class DockerInfo(Struct, frozen=True, kw_only=True):
    """Versions are empty where they are not known; ``diagnostic`` is why the daemon does not answer.

    ``info`` is the output of ``docker info``; empty without a daemon. ``local``: the daemon sees this machine's files.
    """

    client: str = ""
    compose: str = ""
    server: str = ""
    endpoint: str = ""
    local: bool = True
    info: Mapping[str, Any] = {}
    components: tuple[str, ...] = ()
    """What the server is made of."""
    diagnostic: Diagnostic | None = None

    @property
    def is_available(self) -> bool:
        """Tell whether the daemon answers."""
        return self.diagnostic is None

    @property
    def architecture(self) -> str:
        """The processor of the daemon's host, as images name it; empty without a daemon."""
        found = str(self.info.get("Architecture") or "")
        return IMAGE_ARCHITECTURES.get(found, found)

    @property
    def kernel(self) -> str:
        """The release of the kernel that containers run on."""
        return str(self.info.get("KernelVersion") or "")


def docker_info(docker: Docker) -> DockerInfo:
    """Return the facts of Docker, also where there is none."""
    try:
        compose = docker.run("compose", "version", "--short")
        version = docker.run("version", "--format", "{{json .}}")
        endpoint, local = docker.endpoint, not docker.is_remote
        info_json = docker.run("info", "--format", "{{json .}}")
    except DiagnosticError as error:  # no docker at all, or an unknown context
        return DockerInfo(client=_client(docker), diagnostic=error.diagnostics[0])
    versions, info = _json(version.stdout), _json(info_json.stdout)
    server = (versions.get("Server") or {}).get("Version") or ""
    stderr = version.stderr or info_json.stderr or "\n".join(info.get("ServerErrors") or ())
    return DockerInfo(
        client=(versions.get("Client") or {}).get("Version") or "",
        compose=compose.stdout.strip() if compose.returncode == 0 else "",
        server=server,
        endpoint=endpoint,
        local=local,
        info=info if server else {},
        components=tuple(str(one.get("Name")) for one in (versions.get("Server") or {}).get("Components") or ()),
        diagnostic=None if server else failure(stderr, docker.command("version")),
    )


def _client(docker: Docker) -> str:
    """Return the version of the client, which may be installed although its context is unknown."""
    try:
        return Docker().run("version", "--format", "{{.Client.Version}}").stdout.strip() if docker.context else ""
    except DiagnosticError:
        return ""


def _json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def is_older(version: str, oldest: tuple[int, int]) -> bool:
    """Tell whether a version like ``v2.26.1-4`` is too old; what is not a version is not."""
    found = re.match(r"v?([0-9]+)\.([0-9]+)", version)
    return found is not None and (int(found[1]), int(found[2])) < oldest
