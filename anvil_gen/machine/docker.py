"""The ``docker`` command line, and what its failures mean."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode, Location, printable

INSTALL_DOCS = "https://docs.docker.com/engine/install/"
# What names a project or files for Compose: an operating verb says both itself.
_OVERRULING = ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME")
_LONGEST_LINE = 400

_NO_DAEMON = re.compile(r"cannot connect to the docker daemon|error during connect|dial unix|failed to connect", re.I)
_NOT_ALLOWED = re.compile(r"permission denied", re.I)
_NO_COMPOSE = re.compile(
    r"is not a docker command|unknown command: docker compose|unknown shorthand flag: 'p'|unknown flag: --project-name",
    re.I,
)
_NO_CONTEXT = re.compile(r"context .*(not found|does not exist)", re.I)
# What it says behind a quote may be a secret.
_BAD_VARIABLES = re.compile(
    r"failed to read (?P<file>.*\.env): (?:line \d+: )?(?P<why>[^\"':$]*)|setenv: (?P<empty>.*)"
)
BAD_VARIABLES = "variables cannot be read"
"""The summary of what is wrong where Compose does not understand an ``.env``."""


class Docker:
    """The engine that a host's containers run on, by its command line."""

    def __init__(self, context: str | None = None) -> None:
        """Talk to the engine of a Docker context; without one to that of DOCKER_HOST, or the current context."""
        self.context = context

    @property
    def endpoint(self) -> str:
        """Where the engine is: a URL like ``unix:///var/run/docker.sock``; empty for this machine's own.

        Raises:
            DiagnosticError: the context is not known.
        """
        if self.context is None and os.environ.get("DOCKER_HOST"):
            return os.environ["DOCKER_HOST"]
        if self.context is None and not os.environ.get("DOCKER_CONTEXT") and not _has_current_context():
            return ""
        return self.output("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()

    @property
    def is_remote(self) -> bool:
        """Tell whether the engine runs on another machine, which sees none of this one's files."""
        scheme, _, rest = self.endpoint.partition("://")
        if scheme in ("", "unix", "npipe", "fd"):
            return False
        return not (scheme == "tcp" and re.match(r"(localhost|127\.[0-9.]+|\[::1\])(:|/|$)", rest))

    def command(self, *arguments: str) -> list[str]:
        """Return a whole command line."""
        return ["docker", *(("--context", self.context) if self.context else ()), *arguments]

    def typed(self, *arguments: str) -> str:
        """Return a whole command line as a person types it."""
        import shlex  # noqa: PLC0415  only a remedy needs it

        return shlex.join(self.command(*arguments))

    def output(self, *arguments: str, folder: Path | None = None, variables: Mapping[str, str] | None = None) -> str:
        """Return what a command prints.

        Raises:
            DiagnosticError: it failed.
        """
        done = self.run(*arguments, folder=folder, variables=variables)
        if done.returncode != 0:
            raise DiagnosticError([failure(done.stderr, self.command(*arguments))])
        return done.stdout

    def run(
        self,
        *arguments: str,
        text: str = "",
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that reads ``text`` to its end, with ``variables`` in its environment; return what it printed.

        Raises:
            DiagnosticError: there is no ``docker`` on this machine, or it cannot be run.
        """
        try:
            return subprocess.run(  # noqa: S603  docker itself, never a shell
                self.command(*arguments),
                cwd=folder,
                env=_environment(folder, variables),
                input=text,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise _not_started(error, folder) from None

    def popen(
        self, *arguments: str, folder: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a command whose output is read later."""
        try:
            return subprocess.Popen(  # noqa: S603
                self.command(*arguments),
                cwd=folder,
                env=_environment(folder, variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise _not_started(error, folder) from None

    def popen_merged(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command whose output and errors are read later, as one stream."""
        try:
            return subprocess.Popen(  # noqa: S603
                self.command(*arguments),
                env=_environment(None),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise _not_started(error, None) from None

    def run_interactive(
        self,
        *arguments: str,
        folder: Path | None = None,
        stdout: int | None = None,
        variables: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
        meanwhile: Callable[[], None] | None = None,
    ) -> int:
        """Run a command on this terminal, and return its exit code.

        ``stdout`` is where its answer goes instead; ``inherited`` are descriptors that it keeps open; ``meanwhile`` is
        called while it runs.
        """
        try:
            with subprocess.Popen(  # noqa: S603
                self.command(*arguments),
                cwd=folder,
                env=_environment(folder, variables),
                stdout=stdout,
                pass_fds=inherited,
            ) as process:
                if meanwhile is not None:
                    meanwhile()
                return _wait(process)
        except OSError as error:
            raise _not_started(error, folder) from None


def wait_output(started: subprocess.Popen[str]) -> str:
    """Return what a command prints that was started earlier.

    Raises:
        DiagnosticError: it failed.
    """
    stdout, stderr = started.communicate()
    if started.returncode != 0:
        raise DiagnosticError([failure(stderr, cast("list[str]", started.args))])
    return stdout


def _has_current_context() -> bool:
    """Tell whether somebody has chosen a context; asking docker itself would take longer than the rest."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # noqa: PTH111
    try:
        return '"currentContext"' in Path(folder, "config.json").read_text("utf-8")
    except (OSError, ValueError):
        return False


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for a command to end; an interrupt from the keyboard reaches it by itself, and it decides what to finish.

    After an interrupt the code says so, whatever the command makes of it.
    """
    interrupted = False
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            interrupted = True
        else:
            return int(ExitCode.INTERRUPTED) if interrupted else code


def _environment(folder: Path | None, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command in a folder.

    Relative mounts become absolute by the working folder, and the result decides about recreating: it is spelled in one
    way, whatever links somebody came in by.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _OVERRULING} | dict(variables or {})
    return kept if folder is None else {**kept, "PWD": os.path.realpath(folder)}


def _not_started(error: OSError, folder: Path | None) -> DiagnosticError | OSError:
    """Return what is to be raised where a command could not be started in a folder."""
    if folder is not None and (error.filename == str(folder) or not folder.is_dir()):
        return OSError(error.errno, error.strerror, str(folder))
    if isinstance(error, FileNotFoundError):
        return DiagnosticError(
            [
                Diagnostic(
                    summary="Docker is not installed",
                    detail="there is no `docker` on the PATH of this machine; rendering needs none, running does",
                    remedy=f"install it ({INSTALL_DOCS}), for instance:\n\n"
                    "    curl -fsSL https://get.docker.com | sudo sh",
                )
            ]
        )
    detail = f"`docker` on the PATH of this machine: {(error.strerror or str(error)).lower()}"
    remedy = f"see which it is, and mend or replace it ({INSTALL_DOCS}):\n\n    command -v docker"
    return DiagnosticError([Diagnostic(summary="Docker cannot be run", detail=detail, remedy=remedy)])


def parse_json(printed: str) -> Any:
    """Return the JSON that a docker command has printed.

    Raises:
        DiagnosticError: it is none, as where something else has the name of docker.
    """
    try:
        return json.loads(printed)
    except ValueError:
        detail = f"where it is to print JSON, `docker` prints: {printable(printed.strip())[:_LONGEST_LINE]}"
        remedy = "see which program that is:\n\n    command -v docker"
        raise DiagnosticError([Diagnostic(summary="not the words of Docker", detail=detail, remedy=remedy)]) from None


def failure(stderr: str, command: Sequence[str]) -> Diagnostic:
    """Return what a failed docker command means, in one line where its cause is known."""
    lines = [line for line in map(str.strip, stderr.splitlines()) if line]
    last = printable(lines[-1])[:_LONGEST_LINE] if lines else "it said nothing"
    bad = _BAD_VARIABLES.search(stderr)
    if bad is not None:
        return Diagnostic(
            summary=BAD_VARIABLES,
            detail=f"Compose says: {(bad['why'] or 'a line has no name').strip()}",
            remedy="each line is NAME=value; put a value with spaces, quotes, # or $ in single quotes",
            location=Location(file=bad["file"] or ".env"),
        )
    if _NOT_ALLOWED.search(stderr) and re.search(r"daemon|docker\.sock", stderr):
        remedy = "join the group that may, and log in again:\n\n    sudo usermod -aG docker $USER"
        return Diagnostic(summary="not allowed to talk to Docker", detail=last, remedy=remedy)
    if _NO_CONTEXT.search(stderr):
        return Diagnostic(
            summary="unknown Docker context", detail=last, remedy="see which there are:\n\n    docker context ls"
        )
    if _NO_DAEMON.search(stderr):
        remedy = "start it (Docker Desktop; on Linux as below), then run this again:\n\n    sudo systemctl start docker"
        return Diagnostic(summary="Docker does not answer", detail=last, remedy=remedy)
    if _NO_COMPOSE.search(stderr):
        remedy = "install Compose 2.20 or newer: https://docs.docker.com/compose/install/"
        return Diagnostic(summary="Docker Compose is missing", detail=last, remedy=remedy)
    import shlex  # noqa: PLC0415  only an unknown failure needs it

    return Diagnostic(summary="docker failed", detail=last, remedy=f"the command was:\n\n    {shlex.join(command)}")
