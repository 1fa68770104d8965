"""Workflows and actions of GitHub, run here: their steps by the shell that a runner takes, and the comments by HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import yaml
from plans import git
from running import TIMEOUT_SECONDS, Result, anvil_gen, fleet

REPOSITORY = "us/fleet"
TOKEN = "token-of-the-workflow-55e1"
# What `pip install` needs to build this package is in the tests' environment; nothing is fetched.
SITE = next(path for path in sys.path if path.endswith("site-packages"))
OFFLINE = {"PYTHONPATH": SITE, "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}


class GitHub(ThreadingHTTPServer):
    """The comments of one pull request."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on loopback."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.comments: list[dict[str, Any]] = []
        self.writes: list[str] = []
        self.refuses = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, body: str, author: str = "Bot", association: str = "NONE") -> None:
        """Add a comment that somebody has written."""
        number = len(self.comments) + 1
        self.comments.append({"id": number, "body": body, "user": {"type": author}, "author_association": association})


class _Handler(BaseHTTPRequestHandler):
    server: GitHub

    def _answer(self, code: int, data: Any) -> None:
        content = json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _is_refused(self) -> bool:
        if self.server.refuses or self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(403, {"message": "Resource not accessible by integration"})
            return True
        return False

    def do_GET(self) -> None:
        found = re.fullmatch(rf"/repos/{REPOSITORY}/issues/7/comments\?per_page=(\d+)&page=(\d+)", self.path)
        assert found is not None, self.path
        size, page = map(int, found.groups())
        self._answer(200, self.server.comments[(page - 1) * size : page * size])

    def do_POST(self) -> None:
        body = self._body()
        if not self._is_refused():
            assert self.path == f"/repos/{REPOSITORY}/issues/7/comments"
            self.server.add(body)
            self.server.writes.append("POST")
            self._answer(201, self.server.comments[-1])

    def do_PATCH(self) -> None:
        body = self._body()
        if not self._is_refused():
            number = int(self.path.removeprefix(f"/repos/{REPOSITORY}/issues/comments/"))
            self.server.comments[number - 1]["body"] = body
            self.server.writes.append("PATCH")
            self._answer(200, self.server.comments[number - 1])

    def _body(self) -> str:
        text: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return text

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def github() -> Iterator[GitHub]:
    """Run it."""
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Job(NamedTuple):
    """A checkout that a workflow runs in, and what started it."""

    checkout: Path
    temporary: Path
    api: str
    is_of_a_fork: bool = False
    event_name: str = "pull_request"

    @property
    def environment(self) -> dict[str, str]:
        """What a runner sets."""
        self.temporary.mkdir(exist_ok=True)
        event = self.temporary / "event.json"
        event.write_text(json.dumps(self._event()), "utf-8")
        return {
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_EVENT_NAME": self.event_name,
            "GITHUB_API_URL": self.api,
            "GITHUB_STEP_SUMMARY": str(self.temporary / "summary.md"),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_PATH": str(self.temporary / "path"),
            "RUNNER_TEMP": str(self.temporary),
        }

    def _event(self) -> dict[str, Any]:
        if self.event_name != "pull_request":
            return {"ref": "refs/heads/main"}
        sides = {}
        for name, parent in {"base": "HEAD^1", "head": "HEAD^2"}.items():
            owner = "stranger" if self.is_of_a_fork and name == "head" else "us"
            sides[name] = {"sha": git(self.checkout, "rev-parse", parent), "repo": {"full_name": f"{owner}/fleet"}}
        return {"action": "opened", "pull_request": {"number": 7, **sides}}

    @property
    def summary(self) -> str:
        """What the job's page shows."""
        return (self.temporary / "summary.md").read_text("utf-8")

    def value(self, expression: str, inputs: Mapping[str, str]) -> str:
        """Return what an expression is, of those that our workflows have."""
        fork = (
            "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name != github.repository"
        )
        is_pull = self.event_name == "pull_request"
        known = {f"inputs.{name}": self.filled(text, {}) for name, text in inputs.items()}
        known |= {
            "github.token": TOKEN,
            fork: str(self.is_of_a_fork).lower(),
            "steps.app.outputs.token": TOKEN,
            f"{fork} && '--untrusted' || ''": "--untrusted" if self.is_of_a_fork else "",
            "!cancelled() && github.event_name == 'pull_request'": str(is_pull).lower(),
        }
        return known[expression]

    def filled(self, text: str, inputs: Mapping[str, str]) -> str:
        """Return a text with its expressions filled in."""
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda match: self.value(match[1], inputs), text)


def steps_of(steps: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the steps that run a shell, by name."""
    return {step["name"]: step for step in steps if "run" in step}


def run_step(
    step: Mapping[str, Any], job: Job, inputs: Mapping[str, str], env: Mapping[str, str] = {}
) -> Result | None:
    """Run a step as a runner does; None where its condition is not met."""
    if job.filled(step.get("if", "true"), inputs) != "true":
        return None
    own = {name: job.filled(text, inputs) for name, text in step.get("env", {}).items()}
    environment = job.environment
    script = job.temporary / "step.sh"
    script.write_text(job.filled(step["run"], inputs), "utf-8")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=job.checkout / job.filled(step.get("working-directory", "."), inputs),
        env={**os.environ, **environment, **env, **own},
        capture_output=True,
        text=True,
        timeout=3 * TIMEOUT_SECONDS,  # an installation
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def action(path: Path) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Return the inputs of an action, with their defaults, and its steps."""
    data = yaml.safe_load(path.read_text("utf-8"))
    return {name: one["default"] for name, one in data["inputs"].items()}, steps_of(data["runs"]["steps"])


class Fleet(NamedTuple):
    """A repository, and the branch of a pull request to it."""

    origin: Path

    def change(self, *edits: tuple[str, str], render: bool = True) -> Path:
        """Commit edits of the inventory to the branch, and return a checkout of what merging it makes."""
        inventory = self.origin / "hosts" / "box.toml"
        git(self.origin, "checkout", "-q", "-B", "branch", "main")
        text = inventory.read_text("utf-8")
        for before, after in edits:
            assert before in text
            text = text.replace(before, after)
        inventory.write_text(text, "utf-8")
        if render:
            assert anvil_gen("render", "box", cwd=self.origin).code == 0
        return self.merged()

    def merged(self) -> Path:
        """Commit what is there to the branch, and return such a checkout, of two commits."""
        git(self.origin, "add", "-A")
        git(self.origin, "commit", "-q", "--allow-empty", "-m", "change")
        git(self.origin, "checkout", "-q", "-B", "merge", "main")
        git(self.origin, "merge", "-q", "--no-ff", "-m", "merge", "branch")
        checkout = Path(mkdtemp(dir=self.origin.parent))
        git(checkout, "clone", "-q", "--depth", "2", "--branch", "merge", self.origin.as_uri(), ".")
        git(self.origin, "checkout", "-q", "branch")
        return checkout


def fleet_of(folder: Path, inventory: str) -> Fleet:
    """Return a fleet of one host, rendered and committed."""
    fleet(folder, box=inventory)
    (folder / ".gitignore").write_text(".anvil-gen/\n", "utf-8")
    assert anvil_gen("render", "box", cwd=folder).code == 0
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "fleet")
    return Fleet(folder)


def jobs(text: str) -> dict[str, dict[str, Any]]:
    """Return the jobs of a workflow."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["jobs"]
    return found


def python_that_fails(folder: Path) -> Path:
    """Return a folder with a python that installs nothing: what was to be installed need not be there."""
    python = folder / "bin" / "python"
    python.parent.mkdir(exist_ok=True)
    python.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    python.chmod(0o755)
    return python.parent
