"""What git has committed of a folder's files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

# A checkout may hold a folder that is a repository itself, with a configuration of its author's: git is neither to take
# it for one, nor to start what that configuration names, as where an object is to be fetched.
_NO_BARE_REPOSITORY = ("-c", "safe.bareRepository=explicit")
_NO_FETCH = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}


def committed(folder: Path, paths: Iterable[str]) -> Iterator[bytes | None]:
    """Yield what git has committed of each file below ``folder``; None for what it does not have."""
    import subprocess  # noqa: PLC0415  only where a file is not as we last wrote it

    # Set in a hook: they would point git away from the folder.
    kept = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    environment = {**kept, **_NO_FETCH}
    # Git's objects and not its index: that may say "unchanged" of what a user has it ignore.
    command = ["git", *_NO_BARE_REPOSITORY, "-C", str(folder), "cat-file", "--batch"]
    asked = "".join(f"HEAD:./{path}\n" for path in paths).encode()
    try:
        answer = subprocess.run(command, input=asked, env=environment, capture_output=True, check=False).stdout  # noqa: S603
    except OSError:  # no git on this host
        return
    while answer:
        head, _, answer = answer.partition(b"\n")
        words = head.split()
        if len(words) != 3 or words[1] != b"blob":
            yield None
            continue
        size = int(words[2])
        yield answer[:size]
        answer = answer[size + 1 :]
