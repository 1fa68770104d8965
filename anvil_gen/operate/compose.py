"""A host's compose project on its engine: the one place that calls ``docker compose``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.operate.docker import Docker, finished, parsed
from anvil_gen.resolve.model import ROOT_FILE

# What has a profile may run too, started by its name: it is asked about like all else.
_EVERY_PROFILE = ("--profile", "*")


class Project(Struct, frozen=True, kw_only=True):
    """A compose project, run from the folder of its files, in which ``.env`` is read."""

    docker: Docker
    folder: Path
    name: str
    variables: Mapping[str, str] = {}
    """What its files read, besides the shell's variables and ``.env``, and before them."""

    def arguments(self, *arguments: str, root_file: str = ROOT_FILE) -> list[str]:
        """Return what follows ``docker``. The default root file is left to Compose, which also knows its overrides."""
        file = () if root_file == ROOT_FILE else ("--file", root_file)
        return ["compose", "--project-name", self.name, *file, *arguments]

    def question(self, *arguments: str, root_file: str = ROOT_FILE) -> list[str]:
        """Return what follows ``docker`` where the files are asked about, whatever profiles are on."""
        return self.arguments(*_EVERY_PROFILE, *arguments, root_file=root_file)

    def show(self, *arguments: str, root_file: str = ROOT_FILE, inherited: Sequence[int] = ()) -> int:
        """Run a compose command on this terminal, and return its exit code; it keeps ``inherited`` descriptors open."""
        whole = self.arguments(*arguments, root_file=root_file)
        return self.docker.show(*whole, folder=self.folder, variables=self.variables, inherited=inherited)

    def tell(
        self,
        *arguments: str,
        root_file: str = ROOT_FILE,
        inherited: Sequence[int] = (),
        meanwhile: Callable[[], None] | None = None,
    ) -> int:
        """Do the same; all that the command prints goes to stderr, and ``meanwhile`` is called while it runs."""
        return self.docker.show(
            *self.arguments(*arguments, root_file=root_file),
            folder=self.folder,
            stdout=sys.stderr.fileno(),
            variables=self.variables,
            inherited=inherited,
            meanwhile=meanwhile,
        )

    def services(self, root_file: str = ROOT_FILE) -> Mapping[str, Any]:
        """Return the whole canonical configuration, variables filled in.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        arguments = self.question("config", "--format", "json", root_file=root_file)
        printed = self.docker.ask(*arguments, folder=self.folder, variables=self.variables)
        config: Mapping[str, Any] = parsed(printed)
        return config

    def hashes(self, root_file: str = ROOT_FILE) -> dict[str, str]:
        """Return what Compose compares a container with, by service.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        return Hashes(self, root_file).by_service()


class Hashes:
    """What Compose compares containers with; it is asked beside whatever else is done until `by_service` is called."""

    def __init__(self, project: Project, root_file: str = ROOT_FILE) -> None:
        """Let Compose read the files of a mode; nothing is asked where there are none."""
        self.root_file = root_file
        arguments = project.question("config", "--hash", "*", root_file=root_file)
        self._asked: Popen[str] | None = None
        self._fault: DiagnosticError | None = None
        try:
            if (project.folder / root_file).is_file():
                self._asked = project.docker.start(*arguments, folder=project.folder, variables=project.variables)
        except DiagnosticError as fault:  # told to who asks for the answer
            self._fault = fault

    def by_service(self) -> dict[str, str]:
        """Return each service's hash.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        if self._fault is not None:
            raise self._fault
        printed = finished(self._asked) if self._asked is not None else ""
        pairs = (line.split() for line in printed.splitlines())
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
