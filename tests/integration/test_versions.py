"""Each commit has a version of its own, so that a pin that moves is an install that changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from onboarding import git
from running import TIMEOUT_SECONDS
from sources import copy_sources


def run(*command: str, folder: Path) -> str:
    """Run a command that must work, and return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a repository of the sources, with one commit."""
    folder = copy_sources(tmp_path / "clone")
    (folder / ".gitignore").write_text("/anvil_gen/_version.py\n", "utf-8")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    """Commit what is there, and return the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "A commit")
    return run("git", "rev-parse", "HEAD", folder=folder)


def version(folder: Path) -> str:
    """Return the version that a build of a folder gets."""
    return run(sys.executable, "-m", "hatchling", "version", folder=folder)


def test_two_commits_are_two_installs(clone: Path, tmp_path: Path) -> None:
    first, second = run("git", "rev-parse", "HEAD", folder=clone), commit(clone)
    run(sys.executable, "-m", "venv", "--system-site-packages", str(tmp_path / "venv"), folder=tmp_path)
    python = str(tmp_path / "venv" / "bin" / "python")
    # The build tools of this environment stand in for those that pip would fetch.
    site = next(path for path in sys.path if path.endswith("site-packages"))
    (tmp_path / "venv" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "x.pth").write_text(
        site, "utf-8"
    )
    found = []
    for ref in (first, second):
        requirement = f"git+{clone.as_uri()}@{ref}#egg=anvil-gen"
        run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", requirement, folder=tmp_path)
        found.append(run(str(tmp_path / "venv" / "bin" / "anvil-gen"), "--version", folder=tmp_path))

    assert [f"+g{ref[:9]}" in told for ref, told in zip((first, second), found, strict=True)] == [True, True], found


def test_a_tag_is_the_version(clone: Path) -> None:
    git(clone, "tag", "v1.2.3")

    assert version(clone) == "1.2.3"


def test_without_git(clone: Path) -> None:
    shutil.rmtree(clone / ".git")

    assert version(clone) == "0.1.0.dev0"


def test_of_a_shallow_clone(clone: Path, tmp_path: Path) -> None:
    commit(clone)
    git(tmp_path, "clone", "--quiet", "--depth", "1", clone.as_uri(), "shallow")
    head = run("git", "rev-parse", "HEAD", folder=clone)

    assert f"+g{head[:9]}" in version(tmp_path / "shallow")
