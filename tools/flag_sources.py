"""Fetch an engine's sources, through pip alone, below `FOLDER/ENGINE/VERSION`; what is there already is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def python_source(engine: str, version: str, folder: Path) -> Path:
    """Return the folder that holds a Python engine's package."""
    place = folder / engine / version
    if not (place / engine).is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            found = _sdist(engine, version, Path(scratch)) or _wheel(engine, version, Path(scratch))
            place.mkdir(parents=True, exist_ok=True)
            shutil.move(found, place / engine)
    return place


def _sdist(engine: str, version: str, scratch: Path) -> Path | None:
    """Return the unpacked source: pip leaves it behind where its build fails, as it does without the build's needs."""
    _download(engine, version, scratch, "--no-binary", engine, "--no-build-isolation", "--no-clean")
    return next((path for path in scratch.glob(f"pip-download-*/{engine}_*/{engine}") if path.is_dir()), None)


def _wheel(engine: str, version: str, scratch: Path) -> Path:
    _download(engine, version, scratch, "--only-binary", ":all:")
    (wheel,) = (scratch / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch, [name for name in archive.namelist() if name.endswith(".py")])
    wheel.unlink()
    return scratch / engine


def _download(engine: str, version: str, scratch: Path, *options: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
    subprocess.run(
        [*command, "--dest", str(scratch / "out"), f"{engine}=={version}"],
        env={**os.environ, "TMPDIR": str(scratch), "VLLM_TARGET_DEVICE": "empty"},
        check=False,
        capture_output=True,
    )
