"""Whose a container is: another inventory's containers are not ours to remove, whatever project they are in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, display_path
from anvil_gen.machine.compose import Project
from anvil_gen.machine.containers import Container
from anvil_gen.machine.docker import Docker
from anvil_gen.resolve.model import ROOT_FILE
from anvil_gen.resolve.output import HEADER


def inventory_of(folder: str) -> str:
    """Return the inventory that a folder's files were rendered from, as they name it; empty if from none."""
    try:
        with Path(folder, ROOT_FILE).open(encoding="utf-8", errors="replace") as file:
            first = file.readline(4096)
    except (OSError, ValueError):
        return ""
    return first.removeprefix(HEADER).partition(". ")[0] if first.startswith(HEADER) else ""


def is_of_another_inventory(one: Container, own: Path | None = None) -> bool:
    """Tell whether a container was created from files of another inventory, which are still there."""
    folder = one.project_folder
    if not folder or (own is not None and os.path.realpath(folder) == os.path.realpath(own)):
        return False
    return inventory_of(folder) != ""


def stop_command(docker: Docker, one: Container) -> str:
    """Return the command that removes a container where it belongs, which asks before it does."""
    words = ("compose", "--project-directory", one.project_folder, "rm", "--stop")
    return docker.shell_command(*words, *([one.service] if one.service else []))


def require_own_containers(project: Project, containers: Iterable[Container]) -> None:
    """Refuse to change a project whose containers another inventory has created.

    Raises:
        DiagnosticError: there is such a container.
    """
    for one in containers:
        if one.project == project.name and is_of_another_inventory(one, project.folder):
            there, here = one.project_folder, display_path(project.folder)
            own = inventory_of(str(project.folder))
            detail = (
                f'the containers of the project "{project.name}" are those of {inventory_of(there)} in {there}; '
                f"this is {own + ' in ' if own else ''}{here}"
            )
            command = project.docker.shell_command("compose", "--project-directory", there, "down")
            remedy = (
                'set another "project" in [host] (or in [experiment])\n'
                f"or, if this folder takes the other one's place, stop it there first:\n\n    {command}"
            )
            raise DiagnosticError([Diagnostic(code="project-taken-twice", detail=detail, remedy=remedy)])
