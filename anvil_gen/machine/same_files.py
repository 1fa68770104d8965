"""Whether another machine has the same files at the same path, by their digests."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from anvil_gen.machine.subprocesses import Run

_SUMS = 'cd "$1" && shift && sha256sum -- "$@"'


def differing_files(run: Run, folder: str, files: Mapping[str, str | None]) -> list[str]:
    """Return which of these files, by their paths below a folder, another machine lacks or has otherwise.

    One whose text is None should not be there.
    """
    paths = sorted(files)
    answer = run(["sh", "-c", _SUMS, "sh", folder, *paths])
    there = {path: digest for digest, _, path in (line.partition("  ") for line in answer.stdout.splitlines())}
    return [path for path in paths if there.get(path) != _digest(files[path])]


def _digest(text: str | None) -> str | None:
    return None if text is None else sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
