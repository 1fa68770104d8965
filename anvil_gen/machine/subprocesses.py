"""Runs programs of the machine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from msgspec import Struct

_SECONDS = 20.0


class Answer(Struct, frozen=True, kw_only=True):
    """What a program printed; ``code`` is None if there is no such program, or it timed out."""

    code: int | None = None
    stdout: str = ""
    stderr: str = ""


Run = Callable[[Sequence[str]], Answer]
"""Runs a command line to its end."""


def run_program(command: Sequence[str]) -> Answer:
    """Run a program of this machine, for at most 20 seconds."""
    try:
        done = subprocess.run(  # noqa: S603  what the catalog's data names, never a shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(stderr=f"timed out after {_SECONDS:.0f} seconds")
    except FileNotFoundError:
        return Answer(stderr="not found on the PATH")
    except OSError as error:
        return Answer(stderr=f"cannot be run: {(error.strerror or str(error)).lower()}")
    return Answer(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
