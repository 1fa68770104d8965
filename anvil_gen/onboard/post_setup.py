"""Creates what a new host needs besides its files: a repository, a key, a volume; none is ever replaced."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

from anvil_gen.diagnostics import Diagnostic
from anvil_gen.onboard.detect import DetectedMachine, MachineAccess
from anvil_gen.onboard.scaffold import ScaffoldResult

_KEY_BYTES = 32


def make_repository(folder: Path) -> bool:
    """Initialize a git repository in a folder; False if the folder is in one already, or git is not installed."""
    try:
        inside = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), "rev-parse", "--is-inside-work-tree"],  # noqa: S607
            capture_output=True,
            check=False,
        )
        if inside.returncode == 0:
            return False
        created = subprocess.run(  # noqa: S603
            # The branch whose pushes the generated workflow checks, whatever git would call it here.
            ["git", "-C", str(folder), "-c", "init.defaultBranch=main", "init", "--quiet"],  # noqa: S607
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return created.returncode == 0


def write_key(tree: Path, variable: str) -> bool:
    """Write a new key into the ``.env`` of a rendered tree, readable by its owner only; False if the file exists."""
    file = tree / ".env"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
        opened.write(f"{variable}={secrets.token_urlsafe(_KEY_BYTES)}\n")
    return True


def missing_volume(result: ScaffoldResult, found: DetectedMachine) -> str:
    """Return the volume of the Hugging Face cache if models need it and Docker lacks it; else an empty text."""
    cache = str(result.answers.get("hfcache", ""))
    if not result.answers.get("uses_hub") or "/" in cache or "\\" in cache:
        return ""
    return "" if cache in found.volumes else cache


def make_volume(volume: str, found: DetectedMachine, at: MachineAccess) -> bool:
    """Create a volume; False if Docker does not answer or refuses."""
    return found.docker.is_available and at.docker.run("volume", "create", volume).returncode == 0


def local_requirement(requirement: str) -> list[Diagnostic]:
    """Return a warning of a requirement that is a folder of this machine: nothing else can install it."""
    if not requirement.startswith("git+file:"):
        return []
    detail = f"requirements.txt has {requirement}, a folder of this machine: CI and other hosts cannot install that"
    remedy = "push that repository, and write its URL: anvil-gen @ git+https://…@VERSION"
    return [Diagnostic(code="requirement-of-this-machine", detail=detail, remedy=remedy, severity="warning")]
