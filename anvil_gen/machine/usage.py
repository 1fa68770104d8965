"""What Docker counts of running containers: processor, disks and network."""

from __future__ import annotations

import json
from collections.abc import Iterable

from msgspec import Struct

from anvil_gen.machine.docker import Docker


class Usage(Struct, frozen=True, kw_only=True):
    """What a container uses: percent of one processor just now, and what it has moved so far, as Docker rounds it."""

    percent: float
    moved: tuple[str, str]


def usage_of(docker: Docker, ids: Iterable[str]) -> dict[str, Usage]:
    """Return the usage of containers, by their ids; those that have ended are left out. It takes Docker two seconds."""
    printed = docker.run("stats", "--no-stream", "--no-trunc", "--format", "{{json .}}", *ids).stdout
    return dict(map(_parsed, printed.splitlines()))


def _parsed(line: str) -> tuple[str, Usage]:
    told = json.loads(line)
    percent = str(told["CPUPerc"]).rstrip("%")
    number = float(percent) if percent.replace(".", "", 1).isdigit() else 0.0  # "--" of one that has just ended
    return str(told["ID"]), Usage(percent=number, moved=(str(told["BlockIO"]), str(told["NetIO"])))
