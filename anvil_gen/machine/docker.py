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
from anvil_gen.machine.compose_plugin import AS_DOCKER, compose_plugin
from anvil_gen.machine.dotenv import BAD_VARIABLES, require_env_file, secret_values
from anvil_gen.machine.filtered import filtered
from anvil_gen.patterns import lazy_pattern
from anvil_gen.text.masking import mask_values

INSTALL_DOCS = "https://docs.docker.com/engine/install/"
# Name a project or files for Compose: the operating commands set both themselves.
_OVERRIDDEN = ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME")
_LONGEST_LINE = 400
STDERR = 2
UNEXPECTED = "unexpected-output-from-docker"

_NO_DAEMON = lazy_pattern(r"cannot connect to the docker daemon|error during connect|dial unix|failed to connect", re.I)
_NOT_ALLOWED = lazy_pattern(r"permission denied", re.I)
_NO_COMPOSE = lazy_pattern(
    r"is not a docker command|unknown command: docker compose|unknown shorthand flag: 'p'|unknown flag: --project-name",
    re.I,
)
_NO_CONTEXT = lazy_pattern(r"context .*(not found|does not exist)", re.I)
# What Compose prints after a quote may be a secret.
_BAD_VARIABLES = lazy_pattern(
    r"failed to read (?P<file>.*\.env): (?:line \d+: )?(?P<why>[^\"':$]*)|setenv: (?P<empty>.*)"
)


class Docker:
    """The Docker that a host's containers run on, through its command line."""

    def __init__(self, context: str | None = None) -> None:
        """Use a Docker context; without one, DOCKER_HOST or the current context."""
        self.context = context

    @property
    def endpoint(self) -> str:
        """The endpoint of the daemon: a URL like ``unix:///var/run/docker.sock``; empty for the local default.

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
        """Tell whether the daemon runs on another machine, which does not see the files of this one."""
        scheme, _, rest = self.endpoint.partition("://")
        if scheme in ("", "unix", "npipe", "fd"):
            return False
        return not (scheme == "tcp" and re.match(r"(localhost|127\.[0-9.]+|\[::1\])(:|/|$)", rest))

    def command(self, *arguments: str) -> list[str]:
        """Return a whole command line."""
        return ["docker", *(("--context", self.context) if self.context else ()), *arguments]

    def shell_command(self, *arguments: str) -> str:
        """Return a whole command line, quoted for a shell."""
        import shlex  # noqa: PLC0415  only a remedy needs it

        return shlex.join(self.command(*arguments))

    def output(self, *arguments: str, folder: Path | None = None, variables: Mapping[str, str] | None = None) -> str:
        """Return the output of a command.

        Raises:
            DiagnosticError: it failed.
        """
        done = self.run(*arguments, folder=folder, variables=variables)
        if done.returncode != 0:
            raise DiagnosticError([failure(done.stderr, self.command(*arguments), folder)])
        return done.stdout

    def run(
        self,
        *arguments: str,
        text: str = "",
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with ``text`` on its stdin and ``variables`` in its environment.

        Raises:
            DiagnosticError: ``docker`` is not installed, or cannot be run.
        """
        program = _program(arguments)
        try:
            return subprocess.run(  # noqa: S603  docker itself, never a shell
                self.command(*arguments),
                executable=program,
                cwd=folder,
                env=_environment(folder, variables, program),
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
        program = _program(arguments)
        try:
            return subprocess.Popen(  # noqa: S603
                self.command(*arguments),
                executable=program,
                cwd=folder,
                env=_environment(folder, variables, program),
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
        while_running: Callable[[], None] | None = None,
    ) -> int:
        """Run a command on this terminal, and return its exit code.

        ``stdout`` redirects its output; ``inherited`` are descriptors that it keeps open; ``while_running`` is called
        while it runs.
        """
        program = _program(arguments)
        try:
            environment = _environment(folder, variables, program)
            with (
                filtered(STDERR, secret_values(folder)) as errors,
                subprocess.Popen(  # noqa: S603
                    self.command(*arguments),
                    executable=program,
                    cwd=folder,
                    env=environment,
                    stdout=errors if stdout == STDERR else stdout,
                    stderr=errors,
                    pass_fds=inherited,
                ) as process,
            ):
                if while_running is not None:
                    while_running()
                return _wait(process)
        except OSError as error:
            raise _not_started(error, folder) from None


def wait_output(started: subprocess.Popen[str], folder: Path | None = None) -> str:
    """Return the output of a command that was started earlier, in a folder.

    Raises:
        DiagnosticError: it failed.
    """
    stdout, stderr = started.communicate()
    if started.returncode != 0:
        raise DiagnosticError([failure(stderr, cast("list[str]", started.args), folder)])
    return stdout


def _program(arguments: Sequence[str]) -> str | None:
    """Return what runs a command in place of ``docker``: Compose's own program, which that would start."""
    return compose_plugin() if arguments[0] == "compose" else None


def _has_current_context() -> bool:
    """Tell whether a current context is configured; querying docker itself would take longer than the rest."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # noqa: PTH111
    try:
        return '"currentContext"' in Path(folder, "config.json").read_text("utf-8")
    except (OSError, ValueError):
        return False


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for a command to end; Ctrl-C reaches it by itself, and it decides what to finish.

    After an interrupt the exit code is that of an interrupt, whatever the command returns.
    """
    interrupted = False
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            interrupted = True
        else:
            return int(ExitCode.INTERRUPTED) if interrupted else code


def _environment(
    folder: Path | None, variables: Mapping[str, str] | None = None, program: str | None = None
) -> dict[str, str]:
    """Return the environment of a command in a folder, whose `.env` is one that Compose can read.

    Compose makes relative mounts absolute by the working folder, and recreates a service if the result differs: so the
    folder is spelled in one way, whatever symbolic links led to it.
    """
    if folder is not None:
        require_env_file(folder)
    kept = {name: value for name, value in os.environ.items() if name not in _OVERRIDDEN} | dict(variables or {})
    kept |= AS_DOCKER if program is not None else {}
    return kept if folder is None else {**kept, "PWD": os.path.realpath(folder)}


def _not_started(error: OSError, folder: Path | None) -> DiagnosticError | OSError:
    """Return the error to raise where a command could not be started in a folder."""
    if folder is not None and (error.filename == str(folder) or not folder.is_dir()):
        return OSError(error.errno, error.strerror, str(folder))
    if isinstance(error, FileNotFoundError):
        return DiagnosticError(
            [
                Diagnostic(
                    code="docker-is-not-installed",
                    detail="`docker` is not on the PATH; rendering works without it, running does not",
                    remedy=f"install it ({INSTALL_DOCS}), for instance:\n\n"
                    "    curl -fsSL https://get.docker.com | sudo sh",
                )
            ]
        )
    detail = f"`docker` on the PATH: {(error.strerror or str(error)).lower()}"
    remedy = f"find the program, and fix or replace it ({INSTALL_DOCS}):\n\n    command -v docker"
    return DiagnosticError([Diagnostic(code="docker-cannot-be-run", detail=detail, remedy=remedy)])


def parse_json(printed: str) -> Any:
    """Parse the JSON that a docker command has printed.

    Raises:
        DiagnosticError: it is not JSON, for instance because another program is called docker.
    """
    try:
        return json.loads(printed)
    except ValueError:
        raise unexpected("JSON", printed) from None


def unexpected(what: str, printed: str) -> DiagnosticError:
    """Return the error for a docker command that has printed something else than ``what``."""
    detail = f"expected {what}, but `docker` printed: {printable(printed.strip())[:_LONGEST_LINE]}"
    remedy = "find out which program it is:\n\n    command -v docker"
    return DiagnosticError([Diagnostic(code=UNEXPECTED, detail=detail, remedy=remedy)])


def failure(stderr: str, command: Sequence[str], folder: Path | None = None) -> Diagnostic:
    """Return what a failed docker command means, with its fix where the cause is known.

    Secrets of the environment and of the ``.env`` of ``folder`` are not shown.
    """
    stderr = mask_values(stderr, secret_values(folder))
    lines = [line for line in map(str.strip, stderr.splitlines()) if line]
    last = printable(lines[-1])[:_LONGEST_LINE] if lines else "no error message"
    bad = _BAD_VARIABLES.search(stderr)
    if bad is not None:
        return Diagnostic(
            code=BAD_VARIABLES,
            detail=f"Compose reports: {(bad['why'] or 'a line has no name').strip()}",
            remedy="each line is NAME=value; put a value with spaces, quotes, # or $ in single quotes",
            location=Location(file=bad["file"] or ".env"),
        )
    if _NOT_ALLOWED.search(stderr) and re.search(r"daemon|docker\.sock", stderr):
        remedy = "add yourself to the docker group, then log in again:\n\n    sudo usermod -aG docker $USER"
        return Diagnostic(code="no-permission-to-use-docker", detail=last, remedy=remedy)
    if _NO_CONTEXT.search(stderr):
        return Diagnostic(
            code="unknown-docker-context", detail=last, remedy="list the contexts:\n\n    docker context ls"
        )
    if _NO_DAEMON.search(stderr):
        remedy = "start it (Docker Desktop; on Linux as below), then run this again:\n\n    sudo systemctl start docker"
        return Diagnostic(code="docker-does-not-answer", detail=last, remedy=remedy)
    if _NO_COMPOSE.search(stderr):
        remedy = "install Compose 2.20 or newer: https://docs.docker.com/compose/install/"
        return Diagnostic(code="docker-compose-is-missing", detail=last, remedy=remedy)
    import shlex  # noqa: PLC0415  only an unknown failure needs it

    return Diagnostic(
        code="docker-command-failed", detail=last, remedy=f"the command was:\n\n    {shlex.join(command)}"
    )
