"""What Docker Compose makes of files: the canonical form that source and result are compared in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

_SECONDS = 120
_KEPT = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "DOCKER_CONFIG", "TMPDIR", "TEMP")
"""Variables of the shell that Docker itself needs: no other reaches the files."""


_GOGC = "400"
"""How seldom Compose, a program in Go, collects garbage: by default, that is a third of the time for large files."""


class ComposeError(Exception):
    """Compose refuses files; the text is what it says."""


def compose_command() -> tuple[str, ...] | None:
    """Return what starts Docker Compose here; None where there is none."""
    return _compose_on(os.environ.get("PATH", ""))


@cache
def _compose_on(_path: str) -> tuple[str, ...] | None:
    for command in (("docker", "compose"), ("docker-compose",)):
        try:
            done = _run([*command, "version", "--short"], Path(), {}, "")
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip().lstrip("v")[:1].isdigit():
            return command
    return None


class ComposeFiles(Struct, frozen=True, kw_only=True):
    """Files of a project, or the text of one, in the folder that their relative paths mean."""

    folder: Path
    files: Sequence[str]
    text: str | None = None
    name: str = ""

    def config(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """Return the canonical configuration with variables filled in, of every profile.

        Raises:
            ComposeError: Compose refuses the files.
        """
        files = [part for file in (self.files if self.text is None else ["-"]) for part in ("-f", file)]
        named = ["-p", self.name] if self.name else []
        arguments = ["--project-directory", str(self.folder.resolve()), "--env-file", os.devnull, "--profile", "*"]
        command = [*(compose_command() or ()), *files, *named, *arguments, "config", "--format", "json"]
        try:
            done = _run(command, Path(), variables, self.text or "")
        except subprocess.TimeoutExpired:
            raise ComposeError(f"it did not answer within {_SECONDS} seconds") from None
        if done.returncode != 0:
            raise ComposeError(done.stderr.strip())
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def _run(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], text: str
) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return subprocess.run(  # noqa: S603  Compose itself, never a shell
        command,
        cwd=folder,
        env={"GOGC": _GOGC, **inherited, "PWD": str(Path.cwd()), **variables},
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
