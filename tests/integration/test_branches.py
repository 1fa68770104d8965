"""Two branches that each change a tier, merged by git."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import INVENTORY, ROUTER, SECOND_TIER, Result, anvil_gen, commit_all, fleet, git, git_output, run

ALIASES = 'aliases.a = "fast"\naliases.b = "fast"\naliases.c = "heavy"\n'
BASE = f"{INVENTORY}{SECOND_TIER}{ROUTER}{ALIASES}"
THIRD_TIER = '[tiers.small]\nengine = "llamacpp"\nmodel = { file = "s.gguf" }\nport = 30003\n\n[router]'
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


ONE = BASE.replace("aliases.b", 'aliases.a2 = "fast"\naliases.b').replace("65536", "32768\nflags.seed = 1")
OF_ANOTHER_TIER = BASE.replace("aliases.c", 'aliases.b2 = "heavy"\naliases.c').replace(
    "30000", "30000\ncontext_length = 4096\nflags.random-seed = 2"
)
OF_THE_SAME_TIER = BASE.replace("aliases.c", 'aliases.b2 = "fast"\naliases.c')


@pytest.mark.parametrize(
    "other", [OF_ANOTHER_TIER, BASE.replace("[router]", THIRD_TIER)], ids=["another tier", "a new tier"]
)
def test_changes_of_different_tiers_merge(repository: Path, other: str) -> None:
    """Aliases, limits and flags; what git makes of the files is what a render makes of the inventory."""
    branch(repository, "one", ONE)
    branch(repository, "two", other)

    assert conflicts(repository, "merge", "--quiet", "--message=both", "one") == []
    assert rendered(repository, "--check").code == 0


@pytest.mark.parametrize("command", [("merge", "--quiet", "one"), ("rebase", "--quiet", "one"), ("cherry-pick", "one")])
def test_a_tier_that_both_change_is_rendered_again_without_a_question(
    repository: Path, command: tuple[str, ...]
) -> None:
    """The digest of what the router says of it is neither's."""
    branch(repository, "one", ONE)
    branch(repository, "two", OF_THE_SAME_TIER)

    found = conflicts(repository, *command)
    assert COMPOSE.as_posix() in found
    assert not [path for path in found if not path.startswith("deploy/box/router/")]
    assert "<<<<<<< " in (repository / COMPOSE).read_text("utf-8")
    rendered(repository)
    assert rendered(repository, "--check").code == 0
    git(repository, "add", "--all")
    assert run("git", "grep", "--cached", "-n", "^<<<<<<< ", cwd=repository).stdout == ""


def test_what_a_person_writes_during_a_merge_is_kept(repository: Path) -> None:
    branch(repository, "one", ONE)
    branch(repository, "two", OF_THE_SAME_TIER)
    conflicts(repository, "merge", "--quiet", "one")
    edited = repository / COMPOSE
    edited.write_text(edited.read_text("utf-8") + "    mem_limit: 1g\n", "utf-8")

    refused = rendered(repository, "--json")
    assert (refused.code, "mem_limit: 1g" in edited.read_text("utf-8")) == (1, True)
    assert refused.stdout.count("file-was-changed-manually") == 1
