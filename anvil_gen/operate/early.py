"""What Docker is asked first, while the rest of the program is still imported and the inventory is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from anvil_gen.catalog.defaults import by_section, shipped_defaults
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.fleet import find_inventory, fleet_root
from anvil_gen.inventory.toml_file import Document
from anvil_gen.machine.compose import Project
from anvil_gen.machine.docker import Docker
from anvil_gen.resolve.host_defaults import host_defaults
from anvil_gen.text_files import is_inside

_Questions = TypeVar("_Questions")
_TOLD = ("name", "project", "target", "output", "docker_context")


class EarlyQuestions(Generic[_Questions]):
    """Questions about the project that an inventory seems to have; they only read.

    They count if the whole inventory has that project too. Until then nothing that is wrong is reported.
    """

    def __init__(self, host: str, here: Path, ask: Callable[[Project], _Questions]) -> None:
        """Ask about a host's project, if its inventory tells it plainly."""
        self._ask = ask
        self._project = self._questions = None
        with suppress(DiagnosticError, OSError):
            self._project = _expected_project(find_inventory(host, here))
            self._questions = ask(self._project) if self._project is not None else None

    def about(self, project: Project) -> _Questions:
        """Return the questions about a project: those that were asked if it is the same, else new ones."""
        if self._questions is not None and self._project is not None and self._project.place == project.place:
            return self._questions
        return self._ask(project)


def _expected_project(path: Path) -> Project | None:
    """Return the project that an inventory seems to have; None where that takes more than a look at `[host]`.

    Raises:
        DiagnosticError: the file cannot be read, or is no TOML.
    """
    table = Document(path, below=fleet_root(path)).data.get("host", {})
    if not isinstance(table, dict) or not all(isinstance(table.get(name, ""), str) for name in _TOLD):
        return None
    defaults = by_section(shipped_defaults().data)["host"]
    values = {**host_defaults(path, table, defaults), **table}
    if values["target"] != defaults["target"]:
        return None
    folder = Path(os.path.abspath(path.parent / values["output"]))  # noqa: PTH100  as the inventory's own
    if not is_inside(folder, fleet_root(path)):  # where Compose would read what is none of the fleet's
        return None
    return Project(docker=Docker(values["docker_context"]), folder=folder, name=values["project"])
