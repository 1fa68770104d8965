"""What git has committed of a folder's files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from anvil_gen.patterns import lazy_pattern

# A checkout may hold a folder that is a repository itself, with a configuration of its author's: git is neither to take
# it for one, nor to start what that configuration names, as where an object is to be fetched.
_NO_BARE_REPOSITORY = ("-c", "safe.bareRepository=explicit")
_NO_FETCH = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
# What git names the other side by, while it puts two together.
_OTHER_SIDES = ("MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_CONFLICT_MARKER = lazy_pattern(r"(<{7}|\|{7}|={7}|>{7})( .*)?")


def committed(folder: Path, paths: Iterable[str], commit: str = "HEAD") -> Iterator[bytes | None]:
    """Yield what git has committed of each file below ``folder``; None for what it does not have."""
    # Git's objects and not its index: that may say "unchanged" of what a user has it ignore.
    asked = "".join(f"{commit}:./{path}\n" for path in paths).encode()
    answer = _output(folder, "cat-file", "--batch", asked=asked) or b""
    while answer:
        head, _, answer = answer.partition(b"\n")
        words = head.split()
        if len(words) != 3 or words[1] != b"blob":
            yield None
            continue
        size = int(words[2])
        yield answer[:size]
        answer = answer[size + 1 :]


def merged(folder: Path, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield which files below ``folder`` a merge that is under way has put together: each of their lines is committed.

    So is a file with conflict markers. A rebase, a cherry-pick and a revert are merges too.
    """
    theirs = next(filter(None, (commit_of(folder, ref) for ref in _OTHER_SIDES)), None)
    if theirs is None or not texts:
        return
    base = _output(folder, "merge-base", "HEAD", theirs) or b"HEAD"
    sides = ("HEAD", theirs, f"{theirs}^", base.decode("ascii").strip())
    versions = zip(*(committed(folder, texts, side) for side in sides), strict=False)
    for (path, text), found in zip(texts.items(), versions, strict=False):
        lines = {line.rstrip(b"\r") for version in found if version is not None for line in version.split(b"\n")}
        own = (line for line in text.split("\n") if not _CONFLICT_MARKER.fullmatch(line))
        if lines.issuperset(line.encode("utf-8", "surrogateescape") for line in own):
            yield path


def commit_of(folder: Path, ref: str) -> str | None:
    """Return the commit that a ref names in the repository of a folder; None where there is none."""
    found = _output(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return found.decode("ascii").strip() if found else None


def files_at(folder: Path, commit: str) -> dict[str, int]:
    """Return the regular files below a folder at a commit, by path, each with its size in bytes."""
    listing = _output(folder, "ls-tree", "-r", "-l", "-z", commit, "--", ".") or b""
    files = {}
    for entry in filter(None, listing.split(b"\0")):
        head, _, path = entry.partition(b"\t")
        mode, _, _, size = head.split()
        # A tree that somebody wrote byte by byte may have any names.
        is_plain = path and b"\n" not in path and not {b"", b".", b"..", b".git"} & set(path.split(b"/"))
        if mode.startswith(b"100") and is_plain:
            files[path.decode("utf-8", "surrogateescape")] = int(size)
    return files


def _output(folder: Path, *arguments: str, asked: bytes = b"") -> bytes | None:
    """Return what a git command prints; None where it fails, or there is no git on this host."""
    import subprocess  # noqa: PLC0415  only where a file is not as we last wrote it

    # Set in a hook: they would point git away from the folder.
    kept = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    command = ["git", *_NO_BARE_REPOSITORY, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, input=asked, env={**kept, **_NO_FETCH}, capture_output=True, check=False)  # noqa: S603
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
