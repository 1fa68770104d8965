"""Time starts of the default router with tiers that run and tiers that do not.

    PYTHONPATH=tests .venv/bin/python benchmarks/router_start.py [--runs N]

The router of two or four stub tiers is made again each time, as by `docker compose up --force-recreate router`. Seconds
are counted from `docker start`: until a tier answers through it, until its health check would pass if it were asked all
the time, and until Docker, which asks every five seconds, calls it healthy. Prints a table for docs/performance.md, and
the machine's load before and after.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
from e2e.conftest import new_box
from e2e.contract.door import Door, served
from e2e.engine import Engine, running_engine

TIERS = ("heavy", "fast", "embed", "lens")
CASES = {"two tiers, both run": (2, 2), "four tiers, two run": (4, 2), "four tiers, none runs": (4, 0)}


class Start(NamedTuple):
    """Seconds; of the answer none where no tier runs."""

    answer: float
    passing: float
    healthy: float


def started(door: Door, *, answers: bool) -> Start:
    """Make the router again, and look until it is healthy."""
    engine, name = door.box.engine, door.box.name("router")
    door.box.compose("rm", "--stop", "--force", "router")
    door.box.compose("create", "router")
    test = engine.inspect(name)["Config"]["Healthcheck"]["Test"]
    began = time.perf_counter()
    engine.docker("start", name)
    passing = list[float]()
    watcher = threading.Thread(target=_watch, args=(engine, name, test[-1], passing))
    watcher.start()
    while answers and not _answers(door):
        time.sleep(0.002)
    answer = time.perf_counter() - began
    watcher.join()
    while engine.docker("inspect", "--format", "{{.State.Health.Status}}", name) != "healthy":
        time.sleep(0.02)
    return Start(answer, passing[0] - began, time.perf_counter() - began)


def _watch(engine: Engine, name: str, test: str, passing: list[float]) -> None:
    """Ask in the container, as its health check does, until that passes."""
    script = f"until ({test}) 2>/dev/null; do sleep 0.02; done"
    subprocess.run(
        ["docker", "exec", name, "bash", "-c", script], env={**os.environ, **engine.environment}, check=True, timeout=60
    )
    passing.append(time.perf_counter())


def _answers(door: Door) -> bool:
    try:
        return door.chat(served(TIERS[0])).status == 200
    except OSError:
        return False


def shown(values: Sequence[float]) -> str:
    """Return the median and the most of some seconds."""
    return f"{statistics.median(values):.2f} s ({max(values):.2f})"


@click.command()
@click.option("--runs", default=11, show_default=True)
def main(runs: int) -> None:
    """Time starts of the router."""
    click.echo(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", err=True)
    click.echo("| | a tier answers | the health check passes | Docker calls it healthy |\n| --- | --- | --- | --- |")
    with running_engine() as engine, tempfile.TemporaryDirectory() as folder, new_box(engine, Path(folder)) as box:
        door = Door(box, "haproxy")
        tiers, router = door.inventory["tiers"], door.inventory["router"]
        kept = {key: router[key] for key in ("kind", "container_name", "port")}
        door.inventory["router"] = {**kept, "api_key_env": "CONTRACT_KEY"}
        for case, (wanted, running) in CASES.items():
            door.inventory["tiers"] = {name: tiers[name] for name in TIERS[:wanted]}
            door.up()
            if wanted > running:
                box.compose("rm", "--stop", "--force", *TIERS[running:wanted])
            starts = [started(door, answers=running > 0) for _ in range(runs)]
            columns = [shown(column) for column in zip(*starts, strict=True)]
            click.echo(f"| {case} | {' | '.join(columns if running else ['-', *columns[1:]])} |")
    click.echo(f"load after: {os.getloadavg()[0]:.1f}", err=True)


if __name__ == "__main__":
    main()
