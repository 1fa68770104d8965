"""Fleets with a git history, for tests of what a change does."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import mkdtemp

from places import REPOSITORY

from anvil_gen.cli.views.changes import texts_of
from anvil_gen.deploy.pipeline import generator, write_trees
from anvil_gen.review.against_ref import against_ref
from anvil_gen.review.host_plan import HostPlan, against_disk

LAB = "hosts/lab-quad.toml"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def lab_fleet(folder: Path) -> Path:
    """Return a fleet of the examples, rendered and committed."""
    copytree(_rendered(), folder, dirs_exist_ok=True)
    return folder


@cache
def _rendered() -> Path:
    folder = Path(mkdtemp(prefix="anvil-gen-lab-"))
    copytree(REPOSITORY / "hosts", folder / "hosts")
    copytree(REPOSITORY / "groups", folder / "groups")
    for path in (folder / "hosts").glob("*.toml"):
        path.write_text(path.read_text("utf-8").replace("../examples/", "../deploy/"), "utf-8")
    (folder / ".gitignore").write_text(".anvil-gen/\n", "utf-8")
    write_trees(generator().render_all(sorted((folder / "hosts").glob("*.toml"))))
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit everything."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "state")


def edit(folder: Path, before: str, after: str, file: str = LAB) -> None:
    """Replace a text of a file that has it."""
    path = folder / file
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def plan_of(folder: Path, *, against: str = "disk", file: str = LAB) -> HostPlan:
    """Return what is changed of one host."""
    made = generator()
    plans = [made.render(folder / file)]
    (found,) = against_disk(plans, made) if against == "disk" else against_ref(plans, made, against)
    return found


def consequences(plan: HostPlan) -> dict[str, str]:
    """Return what happens to each service."""
    return {one.service: one.consequence.value for one in plan.services}


def causes(plan: HostPlan) -> set[tuple[str, str, int | None]]:
    """Return each service with the key and line of what changes it."""
    return {
        (one.service, change.cause.key if change.cause else "", change.cause.line if change.cause else None)
        for one in plan.services
        for change in one.changes
    }


def lines(plan: HostPlan) -> list[str]:
    """Return what each service is told to have changed."""
    return [f"{one.service}: {text}" for one in plan.services for text, _ in texts_of(one.changes)]
