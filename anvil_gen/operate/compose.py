"""A host's compose project on its engine: the one place that calls ``docker compose``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.modes import ROOT_FILE
from anvil_gen.operate.docker import Docker


class Project(Struct, frozen=True, kw_only=True):
    """A compose project, run from the folder of its files, in which ``.env`` is read."""

    docker: Docker
    folder: Path
    name: str

    def arguments(self, *arguments: str, root_file: str = ROOT_FILE) -> list[str]:
        """Return what follows ``docker``. The default root file is left to Compose, which also knows its overrides."""
        file = () if root_file == ROOT_FILE else ("--file", root_file)
        return ["compose", "--project-name", self.name, *file, *arguments]

    def show(self, *arguments: str, root_file: str = ROOT_FILE) -> int:
        """Run a compose command on this terminal, and return its exit code."""
        return self.docker.show(*self.arguments(*arguments, root_file=root_file), folder=self.folder)

    def tell(self, *arguments: str, root_file: str = ROOT_FILE) -> int:
        """Run a compose command on this terminal, and return its exit code; all that it prints goes to stderr."""
        whole = self.arguments(*arguments, root_file=root_file)
        return self.docker.show(*whole, folder=self.folder, stdout=sys.stderr.fileno())

    def services(self, root_file: str = ROOT_FILE) -> Mapping[str, Any]:
        """Return the whole canonical configuration, variables filled in.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        arguments = self.arguments("config", "--format", "json", root_file=root_file)
        config: Mapping[str, Any] = json.loads(self.docker.ask(*arguments, folder=self.folder))
        return config

    def hashes(self, root_file: str = ROOT_FILE) -> dict[str, str]:
        """Return what Compose compares a container with, by service.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        printed = self.docker.ask(*self.hash_arguments(root_file), folder=self.folder)
        return parsed_hashes(printed)

    def hash_arguments(self, root_file: str = ROOT_FILE) -> list[str]:
        """Return the arguments of the command whose answer `parsed_hashes` reads."""
        return self.arguments("config", "--hash", "*", root_file=root_file)


def parsed_hashes(printed: str) -> dict[str, str]:
    """Return the services and hashes that ``docker compose config --hash`` prints."""
    return dict(line.split(maxsplit=1) for line in printed.splitlines() if line.strip())


def as_typed(words: Sequence[str], root_file: str = ROOT_FILE) -> str:
    """Return the command as a person types it in the project's folder."""
    file = () if root_file == ROOT_FILE else ("-f", root_file)
    return shlex.join(["docker", "compose", *file, *words])
