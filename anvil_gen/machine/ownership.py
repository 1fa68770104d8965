"""Whose a container is: another inventory's containers are not ours to remove, whatever project they are in."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, display_path, join_words
from anvil_gen.machine.compose import Project
from anvil_gen.machine.containers import Container
from anvil_gen.machine.docker import Docker
from anvil_gen.resolve.output import HEADER
from anvil_gen.resolve.root_files import ROOT_FILE
from anvil_gen.text_files import read_bytes


def inventory_of(folder: str) -> str:
    """Return the inventory that a folder's files were rendered from, as they name it; empty if from none."""
    try:
        first = read_bytes(Path(folder, ROOT_FILE)).partition(b"\n")[0].decode("utf-8", "replace")
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


def require_known_services(project: Project, containers: Iterable[Container], known: Collection[str]) -> None:
    """Refuse to remove all else that is in a project, where that is of other compose files, which are still there.

    Services that are ``known`` may have been somebody's compose file before they were in the inventory.

    Raises:
        DiagnosticError: there is such a container.
    """
    others = [one for one in containers if one.project == project.name and one.service not in known]
    found = [one for one in others if _is_of_other_files(one, project.folder)]
    if found:
        detail = (
            f'the project "{project.name}" has containers of {found[0].files[0]} too, which this would remove: '
            f"{join_words(one.name for one in found)}"
        )
        remedy = 'set another "project" in [host]'
        raise DiagnosticError([Diagnostic(code="project-taken-twice", detail=detail, remedy=remedy)])


def _is_of_other_files(one: Container, own: Path) -> bool:
    is_elsewhere = os.path.realpath(one.project_folder or own) != os.path.realpath(own)
    return is_elsewhere and any(os.path.lexists(file) for file in one.files)
