"""Where Docker's client keeps its configuration."""

from __future__ import annotations

import os
from pathlib import Path


def docker_config_file() -> Path:
    """Return where Docker keeps its configuration."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"
