"""A host's compose project: the one place that calls ``docker compose``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from subprocess import Popen
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine.docker import Docker, parse_json, unexpected, wait_output
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.root_files import ROOT_FILE

# Services with a profile may run too, started by name: they are queried like all others.
_HASH = lazy_pattern("[0-9a-f]+")
OVERRIDES = tuple(f"{name}.override.{suffix}" for name in ("compose", "docker-compose") for suffix in ("yml", "yaml"))
"""Files that Compose reads by itself after the root file: the first that is there."""
_EVERY_PROFILE = ("--profile", "*")


class Project(Struct, frozen=True, kw_only=True):
    """A compose project, run from the folder of its files, in which ``.env`` is read."""

    docker: Docker
    folder: Path
    name: str
    variables: Mapping[str, str] = {}
    """Variables of its files; they take precedence over the shell's and those of ``.env``."""

    @property
    def place(self) -> tuple[str | None, Path, str]:
        """What tells it from other projects: Docker's context, its folder and its name."""
        return self.docker.context, self.folder, self.name

    @property
    def override(self) -> str:
        """The file next to the default root file that Compose reads after it; empty for none."""
        return next((name for name in OVERRIDES if (self.folder / name).exists()), "")

    @property
    def environment(self) -> dict[str, str]:
        """What Compose is told besides arguments: its files, which else a `.env` or a `compose.yaml` there names."""
        files = os.pathsep.join([ROOT_FILE, *([self.override] if self.override else [])])
        named = {"COMPOSE_FILE": files, "COMPOSE_PATH_SEPARATOR": os.pathsep}
        return {**(named if (self.folder / ROOT_FILE).exists() else {}), **self.variables}

    def arguments(self, *arguments: str, root_file: str = ROOT_FILE) -> list[str]:
        """Return the arguments after ``docker``. The default root file and its override are in `environment`."""
        file = () if root_file == ROOT_FILE else ("--file", root_file)
        return ["compose", "--project-name", self.name, *file, *arguments]

    def query_arguments(self, *arguments: str, root_file: str = ROOT_FILE) -> list[str]:
        """Return the arguments after ``docker`` for a query of the files, with all profiles enabled."""
        return self.arguments(*_EVERY_PROFILE, *arguments, root_file=root_file)

    def run_interactive(
        self,
        *arguments: str,
        root_file: str = ROOT_FILE,
        stdout: int | None = None,
        inherited: Sequence[int] = (),
        while_running: Callable[[], None] | None = None,
    ) -> int:
        """Run a compose command on this terminal, and return its exit code.

        ``stdout`` redirects its output; ``inherited`` are descriptors that it keeps open; ``while_running`` is called
        while it runs.
        """
        return self.docker.run_interactive(
            *self.arguments(*arguments, root_file=root_file),
            folder=self.folder,
            stdout=stdout,
            variables=self.environment,
            inherited=inherited,
            while_running=while_running,
        )

    def services(self, root_file: str = ROOT_FILE, *, overridden: bool = True) -> Mapping[str, Any]:
        """Return the whole canonical configuration, variables filled in; unless ``overridden``, without `override`.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        arguments = self.query_arguments("config", "--format", "json", root_file=root_file)
        variables = {**self.environment, **({} if overridden else {"COMPOSE_FILE": root_file})}
        printed = self.docker.output(*arguments, folder=self.folder, variables=variables)
        config = parse_json(printed)
        if not isinstance(config, dict) or not isinstance(config.get("services"), dict):
            raise unexpected("a configuration with services", printed)
        services: Mapping[str, Any] = _unescaped(config)
        return services

    def hashes(self, root_file: str = ROOT_FILE) -> dict[str, str]:
        """Return what Compose compares a container with, by service.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        return Hashes(self, root_file).by_service()


def _unescaped(value: Any) -> Any:
    """Return what Compose prints with each `$` doubled, so that it could be read again, as it is."""
    if isinstance(value, dict):
        return {_unescaped(key): _unescaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unescaped(item) for item in value]
    return value.replace("$$", "$") if isinstance(value, str) else value


class Hashes:
    """The hashes that Compose compares containers with, queried in the background until `by_service` is called."""

    def __init__(self, project: Project, root_file: str = ROOT_FILE, *, every_profile: bool = True) -> None:
        """Let Compose read the files of a mode, if there are any; ``every_profile``: also what starts only by name."""
        self.root_file, self._every_profile = root_file, every_profile
        self._project = project
        arguments = (project.query_arguments if every_profile else project.arguments)(
            "config", "--hash", "*", root_file=root_file
        )
        self._process: Popen[str] | None = None
        self._diagnostic: DiagnosticError | None = None
        try:
            if (project.folder / root_file).is_file():
                self._process = project.docker.popen(*arguments, folder=project.folder, variables=project.environment)
        except DiagnosticError as diagnostic:  # raised in `by_service`
            self._diagnostic = diagnostic

    def of(self, root_file: str) -> Hashes:
        """Return these hashes if they are those of a root file, else another query."""
        return self if root_file == self.root_file else self._query(root_file)

    def again(self) -> Hashes:
        """Return the same query of the files as they are now."""
        return self._query(self.root_file)

    def _query(self, root_file: str) -> Hashes:
        return Hashes(self._project, root_file, every_profile=self._every_profile)

    def by_service(self) -> dict[str, str]:
        """Return each service's hash.

        Raises:
            DiagnosticError: Compose refuses the files.
        """
        if self._diagnostic is not None:
            raise self._diagnostic
        return self._by_service

    @cached_property
    def _by_service(self) -> dict[str, str]:
        printed = wait_output(self._process, self._project.folder) if self._process is not None else ""
        pairs = (line.split() for line in printed.splitlines())
        found = {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and _HASH.fullmatch(pair[1])}
        if self._process is not None and not found:
            raise unexpected("a hash for each service", printed)
        return found
