"""The pull request that a workflow of GitHub runs for: what it is compared with, who wrote it, and its one comment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
from msgspec import Struct

from anvil_gen.deploy.git import commit_of
from anvil_gen.diagnostics import Diagnostic, DiagnosticError

_SECONDS = 30.0
_PAGE = 100
_OWN = {"OWNER", "MEMBER", "COLLABORATOR"}
"""Who may have written a comment that is replaced: what a stranger wrote, the stranger can write again."""


class _Repository(Struct):
    full_name: str


class _Side(Struct):
    sha: str
    repo: _Repository | None = None  # null where a fork is gone


class _Pull(Struct):
    number: int
    head: _Side
    base: _Side


class _Event(Struct):
    pull_request: _Pull


class PullRequest(Struct, frozen=True, kw_only=True):
    """A pull request, by the event that started a workflow."""

    repository: str
    number: int
    head: str
    base: str
    is_of_a_fork: bool

    def compared_with(self, folder: Path) -> str:
        """Return the commit that a checkout is compared with: that which it was merged into, or else its base."""
        is_merged = commit_of(folder, "HEAD^2") == self.head
        return "HEAD^1" if is_merged else self.base


def pull_request(environment: Mapping[str, str]) -> PullRequest:
    """Return the pull request that a workflow runs for.

    Raises:
        DiagnosticError: it runs for none, or this is no workflow.
    """
    try:
        content = Path(environment.get("GITHUB_EVENT_PATH", "")).read_bytes()
        pull = msgspec.json.decode(content, type=_Event).pull_request
    except (OSError, msgspec.DecodeError):
        detail = "GITHUB_EVENT_PATH names no event of one"
        remedy = "use --pull-request in a workflow that pull_request starts"
        raise DiagnosticError([Diagnostic(code="no-pull-request", detail=detail, remedy=remedy)]) from None
    base, head = (side.repo.full_name if side.repo is not None else "" for side in (pull.base, pull.head))
    return PullRequest(
        repository=base,
        number=pull.number,
        head=pull.head.sha,
        base=pull.base.sha,
        is_of_a_fork=head != base,
    )


class Comments:
    """The comments of one pull request."""

    def __init__(self, pull: PullRequest, environment: Mapping[str, str]) -> None:
        """Take what a workflow's environment says of GitHub, and of what the workflow may do there."""
        api = environment.get("GITHUB_API_URL") or "https://api.github.com"
        self._comments = f"{api}/repos/{pull.repository}/issues/{pull.number}/comments"
        self._single = f"{api}/repos/{pull.repository}/issues/comments"
        self._token = environment.get("GITHUB_TOKEN", "")

    def keep(self, text: str, *, marker: str, is_needed: bool) -> None:
        """Make a text the one comment that begins with a marker; without ``is_needed``, only where there is one.

        Raises:
            DiagnosticError: GitHub refuses, or does not answer.
        """
        try:
            earlier = next(self._earlier(marker), None)
            if earlier is None and is_needed:
                self._ask("POST", self._comments, {"body": text})
            elif earlier is not None and earlier["body"] != text:
                self._ask("PATCH", f"{self._single}/{earlier['id']}", {"body": text})
        except HTTPError as error:
            remedy = "give the job `permissions: pull-requests: write`, and GITHUB_TOKEN to the step"
            raise _failed(f"GitHub answers {error.code}", remedy) from None
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            raise _failed(f"GitHub does not answer: {type(error).__name__}", "run the job again") from None

    def _earlier(self, marker: str) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            found = self._ask("GET", f"{self._comments}?per_page={_PAGE}&page={page}")
            yield from (one for one in found if str(one["body"]).startswith(marker) and _is_own(one))
            if len(found) < _PAGE:
                return
            page += 1

    def _ask(self, method: str, url: str, data: Any = None) -> Any:
        content = None if data is None else json.dumps(data).encode()
        headers = {"Accept": "application/vnd.github+json", "Content-Type": "application/json"}
        request = Request(url, content, headers, method=method)  # noqa: S310  the workflow's own GitHub
        request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
            return json.load(response)


def _is_own(comment: Mapping[str, Any]) -> bool:
    return (comment.get("user") or {}).get("type") == "Bot" or comment.get("author_association") in _OWN


def _failed(detail: str, remedy: str) -> DiagnosticError:
    return DiagnosticError([Diagnostic(code="cannot-comment", detail=detail, remedy=remedy, severity="warning")])
