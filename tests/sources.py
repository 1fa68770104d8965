"""Copies of the sources: a build of this repository itself would change the version that tests run with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from places import REPOSITORY

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "copier.yml", "anvil_gen", "templates")


def copy_sources(folder: Path) -> Path:
    """Copy what a build needs into a new folder, and return it."""
    folder.mkdir()
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_version.py"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def build_wheel(folder: Path) -> Path:
    """Build a wheel below a folder, and return it."""
    sources = copy_sources(folder / "sources")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(sources)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel
