"""The running containers of a project, as Docker says them; nothing of them is changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.importing.compose_files import Project
from anvil_gen.importing.containers import read_inspected
from anvil_gen.machine.docker import Docker, parse_json


def inspected_project(names: Sequence[str], context: str | None = None) -> Project:
    """Return the project of the running containers of compose projects, or of containers by their names.

    Raises:
        DiagnosticError: Docker cannot be asked, or has none of them.
    """
    docker = Docker(context)
    ids: list[str] = []
    for name in names:
        listed = docker.output("ps", "--quiet", "--no-trunc", "--filter", f"label=com.docker.compose.project={name}")
        ids += listed.split() or [name]
    printed = docker.output("container", "inspect", *dict.fromkeys(ids))
    containers = parse_json(printed)
    found = [one for one in containers if isinstance(one, dict)] if isinstance(containers, list) else []
    if not found:
        raise DiagnosticError([Diagnostic(code="no-containers", detail=f"Docker runs none of {', '.join(names)}")])
    images = _images(docker, {str(one.get("Image")) for one in found})
    return read_inspected(json.dumps(found), "docker", Path(), images)


def _images(docker: Docker, ids: set[str]) -> dict[str, Any]:
    """Return what images say themselves, by their ids; an image that is gone says nothing."""
    try:
        printed = parse_json(docker.output("image", "inspect", *sorted(ids)))
    except DiagnosticError:
        return {}
    entries = printed if isinstance(printed, list) else []
    return {str(one["Id"]): one for one in entries if isinstance(one, dict) and "Id" in one}
