"""Compose's own program, which `docker compose` starts with the same arguments.

Docker starts it twice, the first time to ask what it is: that takes as long as a question about a project does.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

AS_DOCKER = {"DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND": "docker"}
"""By this variable the program knows that it gets Docker's own arguments."""
# Where Docker looks, after its configuration folder: cli-plugins/manager in docker/cli.
_FOLDERS = tuple(f"/usr/{place}/docker/cli-plugins" for place in ("local/lib", "local/libexec", "lib", "libexec"))
_ELF = b"\x7fELF"


def compose_plugin() -> str | None:
    """Return the program that ``docker compose`` runs; None where only Docker itself can tell.

    That is where one of both is a script, which may do anything, where ``docker`` is another program, and where it is
    told of further folders.
    """
    docker = Path(shutil.which("docker") or "").resolve()
    configured = Path(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"))  # noqa: PTH111
    try:
        if docker.name != "docker" or not _is_binary(docker) or _has_further_folders(configured / "config.json"):
            return None
        found = (Path(folder, "docker-compose") for folder in (str(configured / "cli-plugins"), *_FOLDERS))
        plugin = next((one for one in found if one.exists()), None)
        return str(plugin) if plugin is not None and _is_binary(plugin) else None
    except (OSError, ValueError):
        return None


def _is_binary(program: Path) -> bool:
    with program.open("rb") as file:
        return file.read(len(_ELF)) == _ELF and sys.platform == "linux" and os.access(program, os.X_OK)


def _has_further_folders(configuration: Path) -> bool:
    return configuration.exists() and "cliPluginsExtraDirs" in configuration.read_text("utf-8")
