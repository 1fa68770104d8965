"""What Podman's own generator makes of quadlets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from places import REPOSITORY

from anvil_gen.render.unit_reader import read_unit

QUADLET = REPOSITORY / ".tools" / "quadlet"
Unit = list[tuple[str, str, str]]


def generated(folder: Path) -> dict[str, Unit]:
    """Return the services that Podman's own generator makes of a folder of units."""
    environment = {**os.environ, "QUADLET_UNIT_DIRS": str(folder)}
    command = [str(QUADLET), "-dryrun", "-user"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    parts = done.stdout.split("\n---")
    return {
        name.lstrip("-"): list(read_unit(text)) for name, _, text in (part.partition("---\n") for part in parts) if text
    }
