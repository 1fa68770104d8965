"""`plan --pull-request`, in a workflow: annotations, the job's summary, and one comment that follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from places import REPOSITORY
from plans import git
from running import INVENTORY, Result, anvil_gen
from workflows import TOKEN, Fleet, GitHub, Job, fleet_of, github

MARKER = "<!-- anvil-gen plan -->"
EDIT = ("context_length = 65536", "context_length = 32768")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A rendered fleet without a pending change."""
    return fleet_of(tmp_path_factory.mktemp("origin") / "fleet", INVENTORY)


@pytest.fixture
def server() -> Iterator[GitHub]:
    with github() as found:
        yield found


def planned(job: Job, *more: str, token: str = TOKEN) -> Result:
    """Run the verb as a step does."""
    env = {**job.environment, "GITHUB_TOKEN": token}
    return anvil_gen("plan", "--all", "--pull-request", *more, cwd=job.checkout, env=env)


def bodies(server: GitHub) -> list[str]:
    return [str(comment["body"]) for comment in server.comments]


def test_one_comment_follows_the_pull_request(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    server.add("Looks good.", author="User", association="OWNER")
    job = Job(fleet.change(EDIT), tmp_path / "job", server.url)
    first, again = planned(job), planned(job)

    assert (first.code, again.code) == (2, 2), first.stderr
    assert server.writes == ["POST"]
    _, comment = bodies(server)
    assert comment.startswith(f"{MARKER}\n## Plan: 1 of 1 host changes\n")
    assert "`context_length 65536 -> 32768 (--max-model-len)`" in comment
    assert job.summary == f"{comment}\n" * 2
    place = "file=hosts/box.toml,line=10,title=box%3A recreate fast"
    assert first.stdout.startswith(f"::warning {place}::")

    other = Job(fleet.change((EDIT[0], "context_length = 16384")), tmp_path / "other", server.url)
    assert planned(other).code == 2
    back = Job(fleet.change((EDIT[0], f"{EDIT[0]}  # as it was"), render=False), tmp_path / "back", server.url)
    assert planned(back).code == 0
    assert server.writes == ["POST", "PATCH", "PATCH"]
    reworded = "### box: no changes\n\nIts inventory differs only in order, layout or comments.\n"
    assert bodies(server) == ["Looks good.", f"{MARKER}\n## Plan: no changes\n\n{reworded}"]


def test_nothing_is_said_of_nothing(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    job = Job(fleet.change(), tmp_path / "job", server.url)

    assert planned(job).code == 0
    assert (server.writes, job.summary) == ([], f"{MARKER}\n## Plan: no changes\n\n")


def test_a_strangers_comment_is_not_taken_for_ours(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    server.add(f"{MARKER}\n## Plan: no changes\n", author="User", association="CONTRIBUTOR")
    for number in range(120):  # ours is on the second page
        server.add(f"{number}")
    server.add(f"{MARKER}\nold")
    job = Job(fleet.change(EDIT), tmp_path / "job", server.url)

    assert planned(job).code == 2
    assert server.writes == ["PATCH"]
    assert "32768" in bodies(server)[-1]
    assert "32768" not in bodies(server)[0]


def test_a_fork_gets_the_summary_only(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    job = Job(fleet.change(EDIT), tmp_path / "job", server.url, is_of_a_fork=True)

    assert planned(job).code == 2
    assert (server.writes, server.comments) == ([], [])
    assert "32768" in job.summary


def test_a_fork_is_not_trusted(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    fleet.change(EDIT)
    copytree(REPOSITORY / "templates/engines/custom", fleet.origin / "templates/engines/mine")
    checkout = fleet.merged()
    ours = Job(checkout, tmp_path / "ours", server.url)
    theirs = Job(checkout, tmp_path / "theirs", server.url, is_of_a_fork=True)

    assert planned(ours).code == 2
    refused = planned(theirs)
    assert refused.code == 1
    assert "own templates are not trusted" in refused.stderr
    assert "own templates are not trusted" in theirs.summary


def test_errors_are_shown_at_their_lines(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    job = Job(fleet.change(("port = 30001", 'prot = "|x|"'), render=False), tmp_path / "job", server.url)
    found = planned(job)

    assert found.code == 1
    assert "::error title=unknown key,file=hosts/box.toml,line=8::" in found.stdout
    (comment,) = bodies(server)
    assert comment.startswith(f"{MARKER}\n## Plan: errors\n")
    assert "- **unknown key** `hosts/box.toml:8:" in comment


def test_a_token_that_may_not_write_is_a_warning(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    job = Job(fleet.change(EDIT), tmp_path / "job", server.url)
    found = planned(job, token="wrong-token-91ab")

    assert found.code == 2
    assert "cannot comment on the pull request" in found.stderr
    assert "GitHub answers 403" in found.stdout
    assert "32768" in job.summary
    assert "wrong-token-91ab" not in found.stdout + found.stderr


def test_a_server_that_is_gone_is_a_warning(fleet: Fleet, tmp_path: Path) -> None:
    with github() as server:
        job = Job(fleet.change(EDIT), tmp_path / "job", server.url)
    found = planned(job)

    assert (found.code, "GitHub does not answer" in found.stderr) == (2, True)


def test_without_a_merge_the_base_is_what_the_event_says(fleet: Fleet, server: GitHub, tmp_path: Path) -> None:
    job = Job(fleet.change(EDIT), tmp_path / "job", server.url)
    environment = job.environment
    git(fleet.origin, "checkout", "-q", "branch")
    found = anvil_gen("plan", "--all", "--pull-request", cwd=fleet.origin, env={**environment, "GITHUB_TOKEN": TOKEN})

    assert found.code == 2
    assert "32768" in bodies(server)[0]


@pytest.mark.parametrize("event", ["push", ""])
def test_where_there_is_no_pull_request(event: str, fleet: Fleet, tmp_path: Path) -> None:
    job = Job(fleet.change(EDIT), tmp_path / "job", "", event_name="push")
    env = job.environment if event else {"GITHUB_EVENT_PATH": ""}
    found = anvil_gen("plan", "--all", "--pull-request", cwd=fleet.origin, env=env)

    assert found.code == 1
    assert "error: no pull request" in found.stderr
