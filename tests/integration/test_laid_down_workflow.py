"""The workflow that a fleet begins with: its steps, run by the shell as a runner does, on pull requests."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from onboarding import program, run
from places import REPOSITORY
from plans import commit, git
from running import INVENTORY, Result
from workflows import Fleet, GitHub, Job, fleet_of, github, jobs, python_that_fails, run_step, steps_of

LAID_DOWN = REPOSITORY / "templates/onboard/fleet"
TEXT = (LAID_DOWN / ".github/workflows/render.yml").read_text("utf-8")
CHECK = jobs(TEXT)["check"]
EDIT = ("context_length = 65536", "context_length = 32768")


def with_renovate() -> str:
    """Return the workflow with the job that is commented out."""
    return re.sub(r"(?m)^  # ( *)(?=renovate:|  )", r"  \1", TEXT)


RENOVATE = jobs(with_renovate())["renovate"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A fleet with a pin, and another pin on the branch."""
    mine = fleet_of(tmp_path_factory.mktemp("origin") / "fleet", INVENTORY)
    (mine.origin / "Makefile").write_text((LAID_DOWN / "Makefile").read_text("utf-8"), "utf-8")
    (mine.origin / "requirements.txt").write_text("./nothing-of-base\n", "utf-8")
    commit(mine.origin)
    return mine


@pytest.fixture
def server() -> Iterator[GitHub]:
    with github() as found:
        yield found


def ran(name: str, job: Job, **env: str) -> Result | None:
    """Run a step of the check with the anvil-gen of the tests."""
    path = f"{Path(program('python')).parent}:{os.environ['PATH']}"
    own = {key: job.filled(value, {}) for key, value in CHECK["env"].items()}
    return run_step(steps_of(CHECK["steps"])[name], job, {}, {**own, "PATH": path, **env})


@pytest.mark.parametrize("fork", [False, True])
def test_a_pull_request(fork: bool, fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    job = Job(fleet.change(EDIT), tmp_path / "job", server.url, is_of_a_fork=fork)
    check, plan = ran("Check", job), ran("Plan", job)

    assert check is not None
    assert plan is not None
    assert (check.code, plan.code) == (0, 0), check.stderr + plan.stderr
    assert "32768" in job.summary
    assert server.writes == ([] if fork else ["POST"])


def test_a_fork_runs_no_program_of_its_own(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    fleet.change(EDIT)
    (fleet.origin / "templates/engines").mkdir(parents=True)
    (fleet.origin / "templates/engines/README.md").write_text("own\n", "utf-8")
    (fleet.origin / "Makefile").write_text("check:\n\ttouch PWNED\n", "utf-8")
    (fleet.origin / "requirements.txt").write_text("./nothing-of-branch\n", "utf-8")
    checkout = fleet.merged()
    for fork, wanted in {True: "nothing-of-base", False: "nothing-of-branch"}.items():
        job = Job(checkout, tmp_path / wanted, server.url, is_of_a_fork=fork)
        installed = ran("Install", job, PATH=f"{python_that_fails(tmp_path)}:{os.environ['PATH']}")
        check, plan = ran("Check", job), ran("Plan", job)
        assert installed is not None
        assert check is not None
        assert plan is not None
        assert (job.temporary / "requirements.txt").read_text("utf-8") == f"./{wanted}\n"
        assert ("own templates are not trusted" in check.stderr, check.code == 1) == (fork, fork)
        assert plan.code == (1 if fork else 0)
    assert not list(checkout.rglob("PWNED"))
    assert server.writes == ["POST"]


def test_a_push_is_checked_only(fleet: Fleet, tmp_path: Path) -> None:
    job = Job(fleet.change(EDIT), tmp_path / "job", "", event_name="push")
    check, plan = ran("Check", job), ran("Plan", job)

    assert check is not None
    assert (check.code, plan) == (0, None)


def test_what_is_not_rendered_is_refused_and_planned(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    job = Job(fleet.change(EDIT, render=False), tmp_path / "job", server.url)
    check, plan = ran("Check", job), ran("Plan", job)

    assert check is not None
    assert plan is not None
    assert (check.code, plan.code) == (2, 0)
    assert server.writes == ["POST"]


def test_the_job_for_renovate_is_laid_down_commented(tmp_path: Path) -> None:
    (tmp_path / "render.yml").write_text(with_renovate(), "utf-8")
    done = run(program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", "render.yml", cwd=tmp_path)

    assert done.code == 0, done.stdout
    assert jobs(TEXT).keys() == {"check"}
    assert RENOVATE["if"] == (
        "github.event_name == 'pull_request' && startsWith(github.head_ref, 'renovate/') && "
        "github.event.pull_request.head.repo.full_name == github.repository"
    )
    author = yaml.safe_load((LAID_DOWN / "renovate.json").read_text("utf-8"))["gitIgnoredAuthors"]
    assert f"user.email={author[0]} " in steps_of(RENOVATE["steps"])["Push"]["run"]


def test_a_branch_of_renovate_is_rendered(fleet: Fleet, tmp_path: Path) -> None:
    fleet.change(EDIT, render=False)
    git(fleet.origin, "checkout", "-q", "-B", "renovate/vllm", "branch")
    git(fleet.origin, "checkout", "-q", "main")
    checkout = tmp_path / "checkout"
    git(tmp_path, "clone", "-q", "--depth", "1", "--branch", "renovate/vllm", fleet.origin.as_uri(), str(checkout))
    job = Job(checkout, tmp_path / "job", "", event_name="push")
    render, push = (steps_of(RENOVATE["steps"])[name] for name in ("Render", "Push"))
    before = git(fleet.origin, "rev-parse", "renovate/vllm")
    for _ in range(2):
        for step in (render, push):
            done = run_step(step, job, {}, {"ANVIL_GEN": program("anvil-gen")})
            assert done is not None
            assert done.code == 0, done.stderr

    assert git(fleet.origin, "rev-parse", "renovate/vllm^") == before
    changed = git(fleet.origin, "diff", "--name-only", before, "renovate/vllm")
    assert changed == "deploy/box/tiers/fast.yml"
    assert git(fleet.origin, "log", "-1", "--format=%ae", "renovate/vllm") == "anvil-gen@users.noreply.github.com"
