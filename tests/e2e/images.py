"""The stand-in images: built under the names of the official ones, from what lies in images/."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from e2e.materials import Materials, digest_of, images_data, step

FOLDER = Path(__file__).with_name("images")
DEBIAN = "anvil-gen-test/debian:latest"
"""The root file system below all other images."""

Docker = Callable[..., str]
"""Runs `docker` with arguments and returns what it prints."""


def names() -> list[str]:
    """Return the name of every stand-in image."""
    return [DEBIAN, *(name for images in images_data()["images"].values() for name in images)]


def kept_names() -> list[str]:
    """Return what no test removes: the stand-ins, and the real vLLM, which only some runs make."""
    return [*names(), images_data()["vllm"]["image"]]


def build(docker: Docker, fetched: Materials, *, stamp: Path) -> None:
    """Build every image, unless all are there as the stamp file says."""
    digest = digest_of(fetched, images_data()["images"], *_sources())
    if stamp.exists() and json.loads(stamp.read_text("utf-8")) == [digest, _identities(docker)]:
        return
    with step("building the stand-in images"):
        docker("import", str(fetched.root_filesystem), DEBIAN)
        for folder, tags in images_data()["images"].items():
            _build_one(docker, FOLDER / folder, tags, fetched)
    stamp.write_text(json.dumps([digest, _identities(docker)]), "utf-8")


def _sources() -> list[tuple[str, bytes]]:
    return [(str(path), path.read_bytes()) for path in sorted(FOLDER.rglob("*")) if path.is_file()]


def _identities(docker: Docker) -> dict[str, str]:
    """Return the id of each stand-in image that is there."""
    lines = docker("image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines()
    found = dict(line.split() for line in lines)
    return {name: found[name] for name in names() if name in found}


def _build_one(docker: Docker, folder: Path, tags: list[str], fetched: Materials) -> None:
    """Build an image from a context of what its Dockerfile copies: files of its own, shared ones, and materials."""
    with tempfile.TemporaryDirectory() as context:
        for line in (folder / "Dockerfile").read_text("utf-8").splitlines():
            if line.startswith("COPY "):
                name = line.split()[1].rstrip("/")
                places = [folder / name, FOLDER / name, fetched._asdict().get(name)]
                source = next(place for place in places if place is not None and place.exists())
                copy = shutil.copytree if source.is_dir() else shutil.copy2
                copy(source, Path(context) / name)
        shutil.copy2(folder / "Dockerfile", context)
        docker("build", "--quiet", *(f"--tag={tag}" for tag in tags), context)
