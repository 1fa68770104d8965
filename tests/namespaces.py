"""Mounts for tests, in a mount namespace of their own: they need no privilege, and end with the command."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_TIMEOUT_SECONDS = 300


def with_mounts(script: str, folder: Path, *, env: Mapping[str, str]) -> str:
    """Run a shell script in ``folder`` that may mount what it likes, and return what it prints.

    Where the system does not permit that, it is an error and never a reason to skip.
    """
    program = shutil.which("unshare")
    if program is None:
        raise RuntimeError("unshare is missing: install util-linux")
    command = [program, "--mount", "--map-root-user", "sh", "-eu", "-c"]
    for text in ("mount -t tmpfs none /mnt", script):
        done = subprocess.run(
            [*command, text],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"the system lets nobody mount in a user namespace of their own: {done.stderr.strip()}")
    return done.stdout
