"""The action and the hook of this repository, run as GitHub and pre-commit run them: from a git clone, on a fleet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import copy2
from typing import NamedTuple

import pytest
from onboarding import program, run
from places import REPOSITORY
from plans import commit, edit, git
from running import INVENTORY, Result, anvil_gen
from sources import copy_sources
from workflows import OFFLINE, Fleet, GitHub, Job, action, fleet_of, github, python_that_fails, run_step

INPUTS, STEPS = action(REPOSITORY / "action.yml")
INSTALL, CHECK, PLAN = STEPS.values()
EDIT = ("context_length = 65536", "context_length = 32768")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository of the sources, with the action and the hook."""
    folder = copy_sources(tmp_path_factory.mktemp("sources") / "anvil-gen")
    for name in ("action.yml", ".pre-commit-hooks.yaml"):
        copy2(REPOSITORY / name, folder)
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A rendered fleet without a pending change."""
    return fleet_of(tmp_path_factory.mktemp("origin") / "fleet", INVENTORY)


def installing(action_path: Path) -> dict[str, str]:
    """Return what an installation is run with."""
    path = f"{Path(program('python')).parent}:{os.environ['PATH']}"
    return {**OFFLINE, "GITHUB_ACTION_PATH": str(action_path), "PATH": path}


class Runner(NamedTuple):
    """Where the action has been installed once."""

    temporary: Path
    server: GitHub

    def run(self, checkout: Path, *, fork: bool = False, event: str = "pull_request") -> tuple[Result, Result | None]:
        """Run what the action does after its installation."""
        job = Job(checkout, self.temporary, self.server.url, is_of_a_fork=fork, event_name=event)
        check, plan = (run_step(step, job, INPUTS, {"PYTHONPATH": ""}) for step in (CHECK, PLAN))
        assert check is not None
        return check, plan


@pytest.fixture(scope="module")
def runner(clone: Path, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """The action's first step, on the path of its clone as GitHub names it."""
    with github() as server:
        temporary = tmp_path_factory.mktemp("runner")
        job = Job(fleet.change(), temporary, server.url)
        found = run_step(INSTALL, job, INPUTS, installing(clone))
        assert found is not None
        assert found.code == 0, found.stderr
        site = next(temporary.glob("anvil-gen/lib/*/site-packages"))
        assert (site / "anvil_gen/templates/defaults.toml").is_file()
        (site / "tests.pth").write_text(OFFLINE["PYTHONPATH"], "utf-8")  # what it depends on
        yield Runner(temporary, server)


def test_the_action_comments(fleet: Fleet, runner: Runner) -> None:
    check, plan = runner.run(fleet.change(EDIT))

    assert plan is not None
    assert (check.code, plan.code) == (0, 0), check.stderr + plan.stderr
    assert "::warning file=hosts/box.toml,line=10" in plan.stdout
    assert [("32768" in str(one["body"])) for one in runner.server.comments] == [True]


def test_the_action_refuses_what_is_not_rendered(fleet: Fleet, runner: Runner) -> None:
    check, plan = runner.run(fleet.change(EDIT, render=False))

    assert plan is not None
    assert (check.code, plan.code) == (2, 0)
    assert "anvil-gen render hosts/box.toml" in check.stdout


def test_the_action_fails_with_errors(fleet: Fleet, runner: Runner) -> None:
    check, plan = runner.run(fleet.change(("port = 30001", "prot = 30001"), render=False))

    assert plan is not None
    assert (check.code, plan.code) == (1, 1)


def test_the_action_trusts_no_fork(fleet: Fleet, runner: Runner) -> None:
    fleet.change(EDIT)
    (fleet.origin / "templates" / "engines").mkdir(parents=True)
    (fleet.origin / "templates" / "engines" / "README.md").write_text("own\n", "utf-8")
    before = [str(one["body"]) for one in runner.server.comments]
    check, plan = runner.run(fleet.merged(), fork=True)

    assert plan is not None
    assert (check.code, plan.code) == (1, 1)
    assert "own templates are not trusted" in check.stderr
    assert [str(one["body"]) for one in runner.server.comments] == before


def test_the_action_checks_a_push(fleet: Fleet, runner: Runner) -> None:
    check, plan = runner.run(fleet.change(EDIT), event="push")

    assert (check.code, plan) == (0, None)


def test_the_version_is_the_fleets(tmp_path: Path) -> None:
    """A fork's requirements name programs of a stranger's: the base's are installed."""
    mine = fleet_of(tmp_path / "fleet", INVENTORY)
    (mine.origin / "requirements.txt").write_text("./nothing-of-base\n", "utf-8")
    commit(mine.origin)
    git(mine.origin, "checkout", "-q", "-B", "branch")
    (mine.origin / "requirements.txt").write_text("./nothing-of-branch\n", "utf-8")
    checkout = mine.merged()
    env = {"GITHUB_ACTION_PATH": "/nowhere", "PATH": f"{python_that_fails(tmp_path)}:{os.environ['PATH']}"}
    for fork, wanted in {True: "nothing-of-base", False: "nothing-of-branch"}.items():
        job = Job(checkout, tmp_path / wanted, "", is_of_a_fork=fork)
        assert run_step(INSTALL, job, {**INPUTS, "requirements": "requirements.txt"}, env) is not None
        assert (job.temporary / "requirements.txt").read_text("utf-8") == f"./{wanted}\n"


def test_the_action_is_what_github_expects() -> None:
    done = run(program("check-jsonschema"), "--builtin-schema", "vendor.github-actions", "action.yml", cwd=REPOSITORY)

    assert done.code == 0, done.stdout


def test_the_hook_of_pre_commit(clone: Path, tmp_path: Path) -> None:
    mine = fleet_of(tmp_path / "fleet", INVENTORY).origin
    revision = git(clone, "rev-parse", "HEAD")
    settings = f"repos:\n  - repo: {clone.as_uri()}\n    rev: {revision}\n    hooks:\n      - id: anvil-gen-render\n"
    (mine / ".pre-commit-config.yaml").write_text(settings, "utf-8")
    commit(mine)
    env = {**OFFLINE, "PRE_COMMIT_HOME": str(tmp_path / "cache")}
    run(program("pre-commit"), "install-hooks", cwd=mine, env=env)
    fresh = run(program("pre-commit"), "run", "--all-files", cwd=mine, env=env)
    edit(mine, *EDIT, "hosts/box.toml")
    git(mine, "add", "-A")
    stale = run(program("pre-commit"), "run", cwd=mine, env=env)

    assert (fresh.code, stale.code) == (0, 1), fresh.stdout
    assert "anvil-gen render hosts/box.toml" in stale.stdout
    assert anvil_gen("render", "box", cwd=mine).code == 0
    git(mine, "add", "-A")
    assert run(program("pre-commit"), "run", cwd=mine, env=env).code == 0
