"""A host's compose project on its engine: the one place that calls ``docker compose``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine.docker import Docker, parse_json, wait_output
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

    def query_arguments(self, *arguments: str, root_file: str = ROOT_FILE) -> list[str]:
        """Return what follows ``docker`` where the files are asked about, whatever profiles are on."""
        return self.arguments(*_EVERY_PROFILE, *arguments, root_file=root_file)

    def run_interactive(
        self,
        *arguments: str,
        root_file: str = ROOT_FILE,
        stdout: int | None = None,
        inherited: Sequence[int] = (),
        meanwhile: Callable[[], None] | None = None,
    ) -> int:
        """Run a compose command on this terminal, and return its exit code.

        ``stdout`` is where its answer goes instead; ``inherited`` are descriptors that it keeps open; ``meanwhile`` is
        called while it runs.
        """
        return self.docker.run_interactive(
            *self.arguments(*arguments, root_file=root_file),
            folder=self.folder,
            stdout=stdout,
            variables=self.variables,
            inherited=inherited,
            meanwhile=meanwhile,
        )

    def services(self, root_file: str = ROOT_FILE) -> Mapping[str, Any]:
        """Return the whole canonical configuration, variables filled in.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        arguments = self.query_arguments("config", "--format", "json", root_file=root_file)
        printed = self.docker.output(*arguments, folder=self.folder, variables=self.variables)
        config: Mapping[str, Any] = parse_json(printed)
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
        arguments = project.query_arguments("config", "--hash", "*", root_file=root_file)
        self._asked: Popen[str] | None = None
        self._diagnostic: DiagnosticError | None = None
        try:
            if (project.folder / root_file).is_file():
                self._asked = project.docker.popen(*arguments, folder=project.folder, variables=project.variables)
        except DiagnosticError as diagnostic:  # told to who asks for the answer
            self._diagnostic = diagnostic

    def by_service(self) -> dict[str, str]:
        """Return each service's hash.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        if self._diagnostic is not None:
            raise self._diagnostic
        printed = wait_output(self._asked) if self._asked is not None else ""
        pairs = (line.split() for line in printed.splitlines())
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
