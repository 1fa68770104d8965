"""Runs programs on a machine over SSH."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import urlsplit

from anvil_gen.machine.subprocesses import Answer, Run, run_program

_NO_SUCH_PROGRAM = 127  # the exit code of a shell


def over_ssh(endpoint: str) -> Run | None:
    """Return what runs programs on the machine of a Docker endpoint over SSH; None for any other endpoint."""
    address = urlsplit(endpoint)
    if address.scheme != "ssh" or not address.hostname:
        return None
    user = f"{address.username}@" if address.username else ""
    port = ["-p", str(address.port)] if address.port else []
    start = ["ssh", "-o", "BatchMode=yes", *port, f"{user}{address.hostname}"]

    def run(command: Sequence[str]) -> Answer:
        answer = run_program([*start, shlex.join(command)])
        return Answer(stderr=answer.stderr) if answer.code == _NO_SUCH_PROGRAM else answer

    return run
