"""The source of this installation, where copier finds later versions of the template."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from msgspec import Struct

from anvil_gen import __version__
from anvil_gen.patterns import lazy_pattern

_URL_NAMES = ("repository", "source", "source code")
_SECONDS = 10
_RELEASE = lazy_pattern(r"[0-9]+(\.[0-9]+)*((a|b|rc|\.post)[0-9]+)?")


class Source(Struct, frozen=True, kw_only=True):
    """A template repository as copier names it, empty where none is known, and this version in it."""

    url: str
    ref: str


def source_of(installed: Distribution | None = None) -> Source:
    """Return the repository that this installation comes from, or the one that its package names."""
    try:
        installed = installed or distribution("anvil-gen")
    except PackageNotFoundError:
        return Source(url="", ref=ref_of(__version__))
    direct = json.loads(installed.read_text("direct_url.json") or "{}")
    if "vcs_info" in direct:
        vcs = direct["vcs_info"]
        return Source(url=f"git+{direct['url']}", ref=_tag(vcs) or vcs["commit_id"])
    if "dir_info" in direct:
        return _checkout(Path(url2pathname(unquote(urlsplit(direct["url"]).path))))
    named = dict(_named_url(line) for line in installed.metadata.get_all("Project-URL") or [])
    url = next((named[name] for name in _URL_NAMES if name in named), "")
    return Source(url=f"git+{url}" if url else "", ref=ref_of(__version__))


def ref_of(version: str) -> str:
    """Return what a version is called in its repository: a release by its tag, any other by its commit.

    Empty where a version does not say its commit, as that of a copy without git.
    """
    public, _, local = version.partition("+")
    if _RELEASE.fullmatch(public) and not local:
        return f"v{version}"
    commit = re.match(r"g([0-9a-f]{7,40})", local)
    return commit[1] if commit else ""


def _tag(vcs: dict[str, Any]) -> str:
    """Return the requested revision if it is a version: a branch would mean another commit later."""
    revision = str(vcs.get("requested_revision", ""))
    return revision if revision.removeprefix("v")[:1].isdigit() and "." in revision else ""


def _named_url(line: str) -> tuple[str, str]:
    name, _, url = line.partition(",")
    return name.strip().lower(), url.strip()


def _checkout(folder: Path) -> Source:
    """Return what a local clone was cloned from; the clone itself if it has no remote."""
    ref = _git(folder, "describe", "--tags", "--always")
    if not ref:
        return Source(url="", ref=ref_of(__version__))
    origin = _git(folder, "remote", "get-url", "origin")
    is_remote = ("://" in origin and not origin.startswith("file:")) or origin.startswith("git@")
    return Source(url=(f"git+{origin}" if "://" in origin else origin) if is_remote else folder.as_posix(), ref=ref)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  git itself, never a shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
