"""The real Docker Compose, for tests that hold a rendered file against it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MINIMUM_VERSION = (2, 20)
LOCAL_BINARY = Path(__file__).resolve().parent.parent / ".tools" / "docker-compose"
TIMEOUT_SECONDS = 300


class ComposeError(Exception):
    """Docker Compose refuses a file; the text is what it says about it."""


@cache
def compose_command() -> list[str]:
    """Return the command that starts a recent enough Docker Compose.

    A missing Compose is an error and never a reason to skip: a test that is
    skipped proves nothing about the rendered files.
    """
    for command in (["docker", "compose"], [str(LOCAL_BINARY)]):
        version = _version(command)
        if version is not None and version >= MINIMUM_VERSION:
            return command
    wanted = ".".join(str(part) for part in MINIMUM_VERSION)
    raise RuntimeError(f"Docker Compose {wanted} or newer is missing: run scripts/setup --e2e")


def compose_config(folder: Path, *files: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the resolved model of the Compose files in ``folder``.

    Compose sees only the variables in ``env`` (and a ``.env`` file in the
    folder): none of the developer's shell reaches the result.

    Raises:
        ComposeError: Compose refuses the files.

    """
    chosen = [argument for name in files for argument in ("-f", name)]
    done = _run([*compose_command(), *chosen, "config", "--format", "json"], folder=folder, env=env)
    if done.returncode != 0:
        raise ComposeError(done.stderr.strip())
    model: dict[str, Any] = json.loads(done.stdout)
    return model


def _version(command: list[str]) -> tuple[int, int] | None:
    """Return the major and minor version of a Compose, or None when it does not run."""
    try:
        done = _run([*command, "version", "--short"])
    except OSError:
        return None
    match = re.match(r"v?(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or match is None:
        return None
    return int(match[1]), int(match[2])


def _run(
    command: list[str], *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without stdin, in an environment of PATH, HOME and ``env``."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        command,
        cwd=folder,
        env={**inherited, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
