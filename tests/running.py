"""Small fleets of the tests' own, and the command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import NamedTuple

from anvil_gen.deploy.plan import Plan

TIMEOUT_SECONDS = 300

INVENTORY = """schema = 1

[paths]
models = "/srv/models"

[tiers.fast]
engine = "vllm"
port = 30001
model = { path = "gpt-oss-20b" }
context_length = 65536
flags.enable-auto-tool-choice = true
flags.tool-call-parser = "openai"
"""
SECOND_TIER = """
[tiers.heavy]
engine = "sglang"
port = 30000
model = { path = "qwen" }
"""
ROUTER = """
[router]
"""
EXPERIMENT = """
[hfcache]
volume = "hfcache"

[experiment]
project = "a-slot"
engine = "vllm"
"""


class Result(NamedTuple):
    """What a run ends with."""

    code: int
    stdout: str
    stderr: str


def run(*command: str, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
    """Run a program without a terminal in a folder, ``env`` added to the environment."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def anvil_gen(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
    """Run ``python -m anvil_gen`` in a folder, ``env`` added to the environment."""
    return run(sys.executable, "-m", "anvil_gen", *arguments, cwd=cwd, env=env)


def fleet(folder: Path, **inventories: str) -> Path:
    """Write ``hosts/<name>.toml`` for each inventory, and return the folder."""
    for name, text in inventories.items():
        path = folder / "hosts" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    return folder


def for_folder(plan: Plan, output: Path) -> Plan:
    """Return the plan of a rendered tree for another folder."""
    host = copy(plan.host)
    host.output = output
    return Plan(host, plan.tree)


def tree(folder: Path) -> dict[str, str]:
    """Return every file below a folder but the state, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".anvil-gen" not in path.parts
    }


def listing(folder: Path) -> list[str]:
    """Return every file and folder below a folder, the state's too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def commit_all(folder: Path) -> None:
    """Make a git repository of a folder, with all that is in it committed."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message=all")


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, timeout=TIMEOUT_SECONDS)


def git_output(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return what it prints."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, timeout=TIMEOUT_SECONDS, stdout=subprocess.PIPE, text=True).stdout
