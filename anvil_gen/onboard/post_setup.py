"""What is made once for a new machine beside its files: a repository, a key, a volume; none is ever replaced."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

from anvil_gen.onboard.detect import DetectedMachine, MachineAccess
from anvil_gen.onboard.scaffold import ScaffoldResult

_KEY_BYTES = 32


def make_repository(folder: Path) -> bool:
    """Make a git repository of a folder that is in none; False where it is in one, or where there is no git."""
    try:
        inside = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), "rev-parse", "--is-inside-work-tree"],  # noqa: S607
            capture_output=True,
            check=False,
        )
        if inside.returncode == 0:
            return False
        made = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), "init", "--quiet"],  # noqa: S607
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return made.returncode == 0


def write_key(tree: Path, variable: str) -> bool:
    """Write a new key into the ``.env`` of a rendered tree, for its owner's eyes alone; False where one is there."""
    file = tree / ".env"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
        opened.write(f"{variable}={secrets.token_urlsafe(_KEY_BYTES)}\n")
    return True


def missing_volume(laid_down: ScaffoldResult, found: DetectedMachine) -> str:
    """Return the volume of the hub's cache where models need it and the engine lacks it; else an empty text."""
    cache = str(laid_down.answers.get("hfcache", ""))
    if not laid_down.answers.get("uses_hub") or "/" in cache or "\\" in cache:
        return ""
    return "" if cache in found.volumes else cache


def make_volume(volume: str, found: DetectedMachine, at: MachineAccess) -> bool:
    """Make a volume; False where no engine answers, or it refuses."""
    return found.docker.answers and at.docker.run("volume", "create", volume).returncode == 0
