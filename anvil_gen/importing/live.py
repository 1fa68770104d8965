"""The containers of a project, as Docker says them; nothing of them is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.importing.compose_files import Project
from anvil_gen.importing.containers import read_inspected
from anvil_gen.machine.docker import Docker, parse_json


def inspected_project(names: Sequence[str], context: str | None = None) -> Project:
    """Return the project of the containers of compose projects, also of stopped ones, or of containers by their names.

    Raises:
        DiagnosticError: Docker cannot be asked, or has none of them.
    """
    docker = Docker(context)
    ids: list[str] = []
    for name in names:
        labels = (f"project={name}", "oneoff=False")  # what `docker compose run` has left behind is no service
        filters = [part for label in labels for part in ("--filter", f"label=com.docker.compose.{label}")]
        ids += docker.output("ps", "--all", "--quiet", "--no-trunc", *filters).split() or [name]
    printed = docker.output("container", "inspect", *dict.fromkeys(ids))
    containers = parse_json(printed)
    found = [one for one in containers if isinstance(one, dict)] if isinstance(containers, list) else []
    if not found:
        raise DiagnosticError([Diagnostic(code="no-containers", detail=f"Docker has none of {', '.join(names)}")])
    images = _images(docker, {str(one.get("Image")) for one in found})
    return read_inspected(json.dumps(found), "docker", Path(), images, _networks(docker, found))


def _networks(docker: Docker, containers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what Docker says of the networks that containers are on, by their names."""
    names = {name for one in containers for name in (one.get("NetworkSettings") or {}).get("Networks") or ()}
    try:
        printed = parse_json(docker.output("network", "inspect", *sorted(names)))
    except DiagnosticError:
        return {}
    return {str(one.get("Name")): one for one in printed if isinstance(one, dict)} if isinstance(printed, list) else {}


def _images(docker: Docker, ids: set[str]) -> dict[str, Any]:
    """Return what images say themselves, by their ids; an image that is gone says nothing."""
    try:
        printed = parse_json(docker.output("image", "inspect", *sorted(ids)))
    except DiagnosticError:
        return {}
    entries = printed if isinstance(printed, list) else []
    return {str(one["Id"]): one for one in entries if isinstance(one, dict) and "Id" in one}
