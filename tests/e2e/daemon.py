"""A Docker daemon of the tests' own: it cannot touch another daemon of the machine, nor be touched by it.

It runs in namespaces of its own. The network has nothing but a loopback, so that ports, bridges and firewall rules
cannot meet others'; the mounts and processes are its own, so that with the daemon all its containers are gone, however
it ends. `inside` takes the calling thread, and all that it starts, into that network.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

START_SECONDS = 180
STOP_SECONDS = 90
CLONE_NEWNET = 0x40000000

# What the daemon and containerd write outside of the folders that they are told is hidden with the mounts.
SCRIPT = """
ip link set lo up
for folder in /etc/docker /run/containerd; do
	mkdir -p "$folder"
	mount -t tmpfs none "$folder"
done
exec dockerd "$@"
"""


class DaemonError(Exception):
    """The daemon does not start; the text has the end of its log."""


class Daemon:
    """The daemon with its data below one folder and all else below another, which ends with it."""

    def __init__(self, data: Path, run: Path) -> None:
        """Take the folders; the second one's path must be short, since it holds sockets."""
        self.data, self.run = data, run
        self.socket = run / "docker.sock"
        self.log = run / "log"
        self._keeper_file = run / "keeper"
        self._machine = -1

    @property
    def host(self) -> str:
        """The address for DOCKER_HOST."""
        return f"unix://{self.socket}"

    def answers(self) -> bool:
        """Tell whether the daemon runs and takes requests."""
        if not self._keeper_file.exists():
            return False
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.socket))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(100)
        return False

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the daemon with some more variables, and wait until it answers.

        Raises:
            DaemonError: it ends, or does not answer in time.

        """
        for folder in (self.run, self.data):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.run / "daemon.json").write_text("{}", "utf-8")
        namespaces = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child=KILL"]
        folders = [f"--data-root={self.data}", f"--exec-root={self.run / 'exec'}", f"--pidfile={self.run / 'pid'}"]
        options = [f"--config-file={self.run / 'daemon.json'}", f"--host={self.host}", *folders]
        with self.log.open("wb") as log:
            keeper = subprocess.Popen(
                [*namespaces, "sh", "-eu", "-c", SCRIPT, "dockerd", *options],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tests, which then stop the daemon in good order.
                start_new_session=True,
            )
        self._keeper_file.write_text(str(keeper.pid), "utf-8")
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if keeper.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise DaemonError(f"dockerd does not start:\n{self.log.read_text('utf-8', 'replace')[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ask the daemon to end, and end it and all its processes if it does not."""
        keeper = self._keeper()
        if keeper is None:
            return
        for child in Path(f"/proc/{keeper}/task/{keeper}/children").read_text("ascii").split():
            _signal(int(child), signal.SIGTERM)
        if not _ended(keeper, STOP_SECONDS):
            _signal(keeper, signal.SIGKILL)
            _ended(keeper, STOP_SECONDS)
        self._keeper_file.unlink()

    def clear(self) -> None:
        """Remove what a daemon that does not run any more has left outside of its data."""
        shutil.rmtree(self.run, ignore_errors=True)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Take the calling thread, and every process that it starts, into the daemon's network."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        after = os.open(f"/proc/{self._keeper()}/ns/net", os.O_RDONLY)
        self._machine = before
        try:
            _enter(after)
            yield
        finally:
            _enter(before)
            os.close(before)
            os.close(after)

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Take the calling thread, which is inside, back into the machine's network for a while."""
        inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _enter(self._machine)
            yield
        finally:
            _enter(inside)
            os.close(inside)

    def _keeper(self) -> int | None:
        """Return the process that holds the namespaces, unless its number is another process's by now."""
        with contextlib.suppress(FileNotFoundError):
            number = int(self._keeper_file.read_text("utf-8"))
            if str(self.run).encode() in Path(f"/proc/{number}/cmdline").read_bytes():
                return number
        return None


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _ended(process: int, seconds: float) -> bool:
    """Wait for a process, a child of ours or not, and tell whether it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process, os.WNOHANG)
        if _state(process) in ("", "Z"):  # one that has ended stays a zombie until its own parent asks for it
            return True
        time.sleep(0.05)
    return False


def _state(process: int) -> str:
    """Return the letter of a process's state; nothing where there is none of that number."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
