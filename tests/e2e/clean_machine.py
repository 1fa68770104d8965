"""A Debian with Docker and pipx and nothing of this project, in namespaces of its own and without a network.

What another machine would download lies there already: Python packages as wheels, images loaded into its Docker, and
one real model as a file.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from e2e.engine import Engine
from e2e.materials import CACHE, KEYRING, REPOSITORY, MaterialError, fetch, kept, output

RELEASE = "trixie"
PYTHON = "3.13"
PACKAGES = (
    *(
        "ca-certificates",
        "curl",
        "docker.io",
        "docker-cli",
        "docker-compose",
        "git",
        "iptables",
        "iproute2",
        "make",
        "mount",
    ),
    *("pipx", "python3-venv"),
)
BUILD_TOOLS = ("pip", "setuptools", "wheel")
"""Required in addition to what pyproject.toml names for a build."""
IMAGES = ("haproxy", "ghcr.io/ggml-org/llama.cpp:server")
HOSTNAME = "box"
START_SECONDS = 60
COMMAND_SECONDS = 300
QUIET_SECONDS = 0.7
WIDTH = 120
"""Characters in a line of its terminal."""
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/root/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "xterm",
}

# The new root has to be a mount of its own, or no container could change to its root in turn.
SCRIPT = """
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mkdir -p old
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
hostname "$2"
ip link set lo up
pivot_root . old
umount -l /old
exec dockerd
"""


class Ran(NamedTuple):
    """What a command printed on its terminal, and when, in seconds after its start."""

    code: int
    text: str
    seconds: float
    seen: float | None
    """When the text was there that was looked for."""


class CleanMachine:
    """A machine that runs; `run` is what its user does at a terminal."""

    def __init__(self, root: Path, keeper: subprocess.Popen[bytes]) -> None:
        """Take the root of its files, and the process that holds its namespaces."""
        self.root = root
        self._keeper = keeper

    def run(
        self, command: str, *, keys: Sequence[bytes] = (), folder: str = "/root", look_for: Callable[[str], bool]
    ) -> Ran:
        """Run a command at a terminal, and press each key when a question waits."""
        process, terminal = pty.fork()
        if process == 0:
            inside = ["nsenter", f"--target={self._first_process()}", "--net", "--pid", "--mount", "--uts", "--root"]
            command_line = [*inside, f"--wdns={folder}", "sh", "-c", command]
            os.execvpe(command_line[0], command_line, ENVIRONMENT)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, WIDTH, 0, 0))
        started, shown, left = time.monotonic(), "", list(keys)
        seen = None
        for piece in _pieces(terminal):
            shown += piece
            if not piece and left and "🎤" in shown:
                os.write(terminal, left.pop(0))
            if seen is None and look_for(shown):
                seen = time.monotonic() - started
        _, status = os.waitpid(process, 0)
        os.close(terminal)
        return Ran(os.waitstatus_to_exitcode(status), shown, time.monotonic() - started, seen)

    def docker(self, *arguments: str) -> None:
        """Run `docker` there, before its user comes."""
        inside = ["nsenter", f"--target={self._first_process()}", "--net", "--pid", "--mount", "--root"]
        output([*inside, "--wdns=/", "docker", *arguments])

    def answers(self) -> bool:
        """Tell whether its Docker takes requests."""
        with contextlib.suppress(MaterialError):
            self.docker("version")
            return True
        return False

    def _first_process(self) -> int:
        """Return its first process, as we count."""
        keeper = self._keeper.pid
        children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text("ascii").split()
        if not children:
            raise MaterialError("the machine has no process")
        return int(children[0])


def _pieces(terminal: int) -> Iterator[str]:
    """Yield what is printed; nothing where it has been quiet for a moment."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    deadline = time.monotonic() + COMMAND_SECONDS
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], QUIET_SECONDS)
        if not ready:
            yield ""
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # it has ended
            return
        if b"\x1b[6n" in piece:  # it asks where the cursor is
            os.write(terminal, b"\x1b[1;1R")
        yield decoder.decode(piece)
    raise TimeoutError("the command does not end")


@contextlib.contextmanager
def clean_machine(engine_images: Path, model_folder: Path) -> Iterator[CleanMachine]:
    """Start a machine with images of an archive and a model, and take it away afterwards."""
    root = CACHE / f"machine-{os.getpid()}"
    root.mkdir()
    try:
        subprocess.run(["tar", "--extract", f"--file={_file_system()}", f"--directory={root}"], check=True)
        _furnish(root, model_folder)
        shutil.copy2(engine_images, root / "var" / "images.tar")
        with _running(root) as machine:
            machine.docker("load", "--quiet", "--input", "/var/images.tar")
            yield machine
    finally:
        shutil.rmtree(root)


def save_images(engine: Engine, target: Path) -> None:
    """Write the images that the machine would pull into an archive."""
    there = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    engine.docker("save", f"--output={target}", *(name for name in there if name.startswith(IMAGES)))


def _file_system() -> Path:
    addresses = output([str(REPOSITORY / "scripts" / "debian_addresses")]).split()
    source = f"deb [signed-by={KEYRING}] {addresses[0]} {RELEASE} main"
    command = ["mmdebstrap", "--quiet", "--format=tar", "--variant=essential", f"--keyring={KEYRING}"]
    command.append(f"--include={','.join(PACKAGES)}")

    def make(_data: object, target: Path) -> None:
        output([*command, RELEASE, str(target), source])

    return kept("clean_machine", (RELEASE, PACKAGES), make)


def _furnish(root: Path, model_folder: Path) -> None:
    """Put a clone of this repository, the wheels and the model into place."""
    output(["git", "clone", "--quiet", str(REPOSITORY), str(root / "root" / "anvil-gen")])
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wanted = (*project["project"]["dependencies"], *project["build-system"]["requires"], *BUILD_TOOLS)
    option = f"--python-version={PYTHON}"
    wheels = kept("clean_machine_wheels", (wanted, option), lambda _, target: fetch(target, *wanted, option))
    shutil.copytree(wheels, root / "opt" / "wheels")
    (root / "etc" / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /opt/wheels\n", "utf-8")
    (root / "srv" / "models").mkdir()
    for model in model_folder.glob("*.gguf"):
        shutil.copy2(model, root / "srv" / "models")


@contextlib.contextmanager
def _running(root: Path) -> Iterator[CleanMachine]:
    namespaces = ["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "--kill-child=KILL"]
    log = root.with_name(f"{root.name}.log")
    with log.open("wb") as sink:
        keeper = subprocess.Popen(
            [*namespaces, "sh", "-euc", SCRIPT, "sh", str(root), HOSTNAME],
            env={**ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    machine = CleanMachine(root, keeper)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not machine.answers():
            if keeper.poll() is not None or time.monotonic() > deadline:
                raise MaterialError(f"the machine does not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
            time.sleep(0.2)
        yield machine
    finally:
        _end(keeper)
        log.unlink()


def _end(keeper: subprocess.Popen[bytes]) -> None:
    """End all that runs there: with its first process everything in its namespace goes."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper.pid, signal.SIGKILL)
    keeper.wait()
