"""A daemon of the tests' own beside another one: killed at once, it leaves nothing, and starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.daemon import STOP_SECONDS, Daemon
from e2e.materials import materials
from e2e.patience import until


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """Start a daemon of the test's own."""
    with tempfile.TemporaryDirectory(prefix="anvil-gen-", dir="/run") as folder:
        made = Daemon(Path(folder) / "data", Path(folder) / "run")
        made.start({})
        try:
            yield made
        finally:
            made.stop()


def docker(daemon: Daemon, *arguments: str) -> str:
    """Run `docker` against a daemon."""
    command = ["docker", "--host", daemon.host, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout.strip()


def processes(text: str) -> list[int]:
    """Return the processes whose command line has a text in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_killed_daemon_leaves_nothing_and_starts_again(daemon: Daemon) -> None:
    docker(daemon, "import", str(materials().root_filesystem), "debian")
    mark = daemon.run.parent.name
    docker(daemon, "run", "--detach", "--name=left", "debian", "sh", "-c", f"sleep 600; : {mark}")
    dockerd = next(p for p in processes(mark) if Path(f"/proc/{p}/exe").resolve().name == "dockerd")
    os.kill(dockerd, signal.SIGKILL)
    until(lambda: processes(mark), lambda left: left == [])

    assert not daemon.answers()
    daemon.clear()
    daemon.start({})
    assert docker(daemon, "inspect", "--format={{.State.Running}}", "left") == "false"


STOP = "import sys, pathlib; from e2e.daemon import Daemon; Daemon(*map(pathlib.Path, sys.argv[1:])).stop()"


def test_another_process_ends_it_without_waiting_for_its_parent(daemon: Daemon) -> None:
    """As the last of several that share one does: the first, which started it, has no need to look at it by then."""
    folders = [str(daemon.run.with_name("data")), str(daemon.run)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", STOP, *folders], env=environment, timeout=STOP_SECONDS, check=True)

    assert not daemon.answers()
