"""Template repositories with versions, and what copier lays down from them, as a user's `copier` would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import copier
import running
import yaml
from copier._main import Worker
from running import Result

REPOSITORY = Path(__file__).parent.parent
TIMEOUT_SECONDS = 300

RTX5090 = "NVIDIA GeForce RTX 5090, 32607 MiB, GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1, 12.0"
PRO6000 = "NVIDIA RTX PRO 6000 Blackwell Workstation Edition, 97887 MiB, GPU-d0f446cf-1771-414c-e116-a39138798a8c, 12.0"
RX7900 = "AMD Radeon RX 7900 XTX, 24560 MiB, GPU-1a2b3c4d5e6f7a8b"
B580 = "Intel Arc B580, 12288 MiB, 0"
GTX1080 = "NVIDIA GeForce GTX 1080, 8192 MiB, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01, 6.1"


class TemplateRepository:
    """A git repository with what copier reads of this one."""

    def __init__(self, folder: Path) -> None:
        """Make it, with the present state as version v0.1.0."""
        self.folder = folder
        plain_template(folder)
        git(folder, "init", "--quiet")
        self.release("v0.1.0")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file of what is laid down, or in copier.yml."""
        file = self.folder / path if path == "copier.yml" else self.folder / "templates/onboard/fleet" / path
        text = file.read_text("utf-8")
        assert old in text, path
        file.write_text(text.replace(old, new), "utf-8", newline="\n")

    def release(self, version: str) -> None:
        """Commit, and tag the commit."""
        commit_all(self.folder)
        git(self.folder, "tag", version)


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as somebody of the tests, and return what it prints."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(folder), *arguments]
    done = subprocess.run(command, check=True, timeout=TIMEOUT_SECONDS, capture_output=True, text=True)
    return done.stdout


def commit_all(folder: Path) -> None:
    """Commit all that differs."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=all")


def program(name: str) -> str:
    """Return the path of a program that was installed with the tests."""
    return str(Path(sys.executable).with_name(name))


def run(*command: str, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
    """Run a program without a terminal, and without what git is told of the user."""
    return running.run(*command, cwd=cwd, env={"GIT_CONFIG_GLOBAL": os.devnull, **(env or {})})


def make(fleet: Path, *arguments: str) -> Result:
    """Run make in a fleet, with the anvil-gen and the copier of the tests."""
    tools = {"ANVIL_GEN": program("anvil-gen"), "COPIER": program("copier")}
    return run("make", "--no-print-directory", *arguments, cwd=fleet, env=tools)


def copy(template: Path, fleet: Path, *options: str, **answers: str) -> Result:
    """Run `copier copy --defaults`, with these answers."""
    data = [f"--data={name}={value}" for name, value in answers.items()]
    command = [program("copier"), "copy", "--defaults", *options, *data, str(template), str(fleet)]
    return run(*command, cwd=fleet.parent)


def copy_here(template: Path, fleet: Path, **answers: str) -> str:
    """Copy in this process, which is fast, and return what is wrong with the answers."""
    try:
        copier.run_copy(str(template), fleet, data=answers, defaults=True, quiet=True)
    except ValueError as error:
        return " ".join(str(error).split())
    return ""


def plain_template(folder: Path) -> Path:
    """Make a folder of what copier reads of this repository, without versions."""
    folder.mkdir(parents=True)
    shutil.copy2(REPOSITORY / "copier.yml", folder)
    shutil.copytree(REPOSITORY / "templates", folder / "templates")
    return folder


def new_fleet(template: Path, fleet: Path, **answers: str) -> Path:
    """Lay a fleet down, as a repository with one commit."""
    done = copy(template, fleet, **answers)
    assert done.code == 0, done.stderr
    git(fleet, "init", "--quiet")
    commit_all(fleet)
    return fleet


def answers_of(fleet: Path, machine: str) -> dict[str, str]:
    """Return the answers file of a machine."""
    answers: dict[str, str] = yaml.safe_load((fleet / f".copier-answers.{machine}.yml").read_text("utf-8"))
    return answers


def files(fleet: Path) -> dict[str, str]:
    """Return every file of a fleet but git's own, by path."""
    own = {".git", ".venv", ".anvil-gen"}
    return {
        path.relative_to(fleet).as_posix(): path.read_text("utf-8")
        for path in sorted(fleet.rglob("*"))
        if path.is_file() and not own & set(path.relative_to(fleet).parts)
    }


def macros(name: str) -> Any:
    """Return the macros of a file of templates/onboard, as copier's Jinja has them."""
    with Worker(src_path=str(REPOSITORY / "templates"), quiet=True) as worker:
        return worker.jinja_env.get_template(f"onboard/{name}").module
