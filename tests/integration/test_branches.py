"""Two branches that each change a tier, merged by git."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import INVENTORY, ROUTER, SECOND_TIER, Result, anvil_gen, commit_all, fleet, git, git_output, run

ALIASES = 'aliases.a = "fast"\naliases.b = "fast"\naliases.c = "heavy"\n'
BASE = f"{INVENTORY}{SECOND_TIER}{ROUTER}{ALIASES}"
IDENTITY = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
IDENTITY |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in IDENTITY.items()}
COMPOSE = Path("deploy", "box", "router", "compose.yml")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Commit a rendered fleet."""
    fleet(tmp_path, box=BASE)
    rendered(tmp_path)
    commit_all(tmp_path)
    git(tmp_path, "branch", "--quiet", "--move", "main")
    return tmp_path


def rendered(folder: Path, *options: str) -> Result:
    """Render without a question, unless more than that is asked for."""
    done = anvil_gen("render", "box", *options, cwd=folder)
    assert done.code == 0 or options, done.stderr
    return done


def branch(folder: Path, name: str, text: str) -> None:
    """Commit a rendered inventory on a branch of its own."""
    git(folder, "checkout", "--quiet", "-b", name, "main")
    fleet(folder, box=text)
    rendered(folder)
    commit(folder)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    done = run("git", "commit", "--quiet", "--message=change", cwd=folder, env=IDENTITY)
    assert done.code == 0, done.stderr


def conflicts(folder: Path, *command: str) -> list[str]:
    """Have git put two branches together, and return the files that it leaves to a person."""
    run("git", *command, cwd=folder, env=IDENTITY)
    return git_output(folder, "diff", "--name-only", "--diff-filter=U").splitlines()


def test_flags_of_two_tiers_merge(repository: Path) -> None:
    branch(repository, "one", BASE.replace("65536", "65536\nflags.seed = 1"))
    branch(repository, "two", BASE.replace('{ path = "qwen" }', '{ path = "qwen" }\nflags.random-seed = 2'))

    assert conflicts(repository, "merge", "--quiet", "--message=both", "one") == []
    assert rendered(repository, "--check").code == 0


@pytest.mark.parametrize("command", [("merge", "--quiet", "one"), ("rebase", "--quiet", "one"), ("cherry-pick", "one")])
def test_routes_of_two_tiers_are_rendered_again_without_a_question(repository: Path, command: tuple[str, ...]) -> None:
    """A digest of what both have changed is neither's."""
    branch(repository, "one", BASE.replace("aliases.b", 'aliases.a2 = "fast"\naliases.b'))
    branch(repository, "two", BASE.replace("aliases.c", 'aliases.b2 = "heavy"\naliases.c'))

    found = conflicts(repository, *command)
    assert COMPOSE.as_posix() in found
    assert not [path for path in found if not path.startswith("deploy/box/router/")]
    assert "<<<<<<< " in (repository / COMPOSE).read_text("utf-8")
    rendered(repository)
    assert rendered(repository, "--check").code == 0
    git(repository, "add", "--all")
    assert run("git", "grep", "--cached", "-n", "^<<<<<<< ", cwd=repository).stdout == ""


def test_what_a_person_writes_during_a_merge_is_kept(repository: Path) -> None:
    branch(repository, "one", BASE.replace("aliases.b", 'aliases.a2 = "fast"\naliases.b'))
    branch(repository, "two", BASE.replace("aliases.c", 'aliases.b2 = "heavy"\naliases.c'))
    conflicts(repository, "merge", "--quiet", "one")
    edited = repository / COMPOSE
    edited.write_text(edited.read_text("utf-8") + "    mem_limit: 1g\n", "utf-8")

    refused = rendered(repository, "--json")
    assert (refused.code, "mem_limit: 1g" in edited.read_text("utf-8")) == (1, True)
    assert refused.stdout.count("file-was-changed-manually") == 1
