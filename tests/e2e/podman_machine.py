"""A machine with systemd and Podman, in namespaces of its own: what it runs and writes ends with it.

Its root is Debian's, below an overlay. systemd is the first process; the network has a loopback and what Podman makes.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from running import Result, run

TIMEOUT_SECONDS = 600
START_SECONDS = 180
NAMESPACES = "--mount --pid --cgroup --net --ipc --uts --fork --kill-child=KILL"
UNITS = ("containers/systemd", "systemd/system")
"""Where Podman and systemd look for units, below /etc."""

# As in a container: nothing of the machine's kernel is written to but the network's own, and /dev has no device.
SCRIPT = r"""
ip link set lo up
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
cd "$WORK/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind "/proc/sys/net" proc/sys/net
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
for name in null zero full random urandom tty; do
	: >"dev/$name"
	mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 run run
mount -t tmpfs tmp tmp
for pair in "$@"; do
	mkdir -p "./${pair#*:}"
	mount --bind "${pair%%:*}" "./${pair#*:}"
done
# Where the host's controllers of resources are those of the first kind, the machine has none.
mkdir -p etc/containers/containers.conf.d
printf '[containers]\npids_limit = 0\n' >etc/containers/containers.conf.d/test.conf
# The root has to be that of the namespace, which a container's processes come back to.
pivot_root . .
umount --lazy .
exec env -i container=anvil-gen-test /lib/systemd/systemd --unit=basic.target
"""
# Where Podman and systemd look for units is the machine's; nothing is written to the host's own /etc.
ON_IT = r"""
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$WORK/etc,workdir=$WORK/etc-work" /etc
for name in containers/systemd systemd/system; do
	mkdir -p "/etc/$name"
	mount --bind "$WORK/$name" "/etc/$name"
done
exec "$@"
"""


class PodmanMachine:
    """The machine. `run` is for its own programs, `anvil_gen` for ours, with its systemd and its Podman."""

    def __init__(self, root: Path, work: Path, shared: Sequence[Path]) -> None:
        """Take a root file system, an empty folder, and folders that are at the same place on it."""
        self._root, self._work, self._shared = root, work, shared
        self._cgroup = _cgroup_folder() / f"anvil-gen-{os.getpid()}"
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until systemd takes requests."""
        for name in ("upper", "work", "root", "storage", "etc", "etc-work", "bin", *UNITS):
            (self._work / name).mkdir(parents=True)
        self._cgroup.mkdir(exist_ok=True)
        mounts = [f"{self._work / name}:etc/{name}" for name in UNITS]
        mounts += [f"{self._work / 'storage'}:var/lib/containers", *(f"{one}:{one}" for one in self._shared)]
        join = f'echo $$ >"{self._cgroup}/cgroup.procs"; exec unshare {NAMESPACES} sh -euc "$SCRIPT" sh "$@"'
        with (self._work / "log").open("wb") as log:
            self._keeper = subprocess.Popen(
                ["sh", "-euc", join, "sh", *mounts],
                env={**os.environ, "LOWER": str(self._root), "WORK": str(self._work), "SCRIPT": SCRIPT},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(self._keeper)
        for name in ("systemctl", "journalctl", "podman"):
            wrapper = self._work / "bin" / name
            wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(self._enter())} {name} "$@"\n', "utf-8")
            wrapper.chmod(0o755)

    def _wait(self, keeper: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._first_process() is None or self.run("systemctl", "is-active", "basic.target", check=False).code:
            log = (self._work / "log").read_text("utf-8", "replace")
            assert keeper.poll() is None, f"the machine has ended:\n{log}"
            assert time.monotonic() < deadline, f"the machine does not start:\n{log}"
            time.sleep(0.2)

    def stop(self) -> None:
        """End it, with all that it runs."""
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
        deadline = time.monotonic() + START_SECONDS
        while self._cgroup.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # its processes are still ending
                for folder in sorted((*self._cgroup.glob("**/"), self._cgroup), reverse=True):
                    folder.rmdir()
            time.sleep(0.1)
        shutil.rmtree(self._work)

    def _first_process(self) -> int | None:
        """Return systemd, once it is what the script has become."""
        process = self._keeper.pid if self._keeper is not None else 0
        with contextlib.suppress(OSError):
            (found,) = Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split() or ("",)
            return int(found) if Path(f"/proc/{found}/comm").read_text("ascii") == "systemd\n" else None
        return None

    def _enter(self) -> list[str]:
        enter = ["nsenter", f"--target={self._first_process()}", "--all", "--root", "--wd"]
        return [*enter, "env", "-i", "PATH=/usr/sbin:/usr/bin", "HOME=/root"]

    def run(self, *command: str, check: bool = True) -> Result:
        """Run a program of the machine.

        Raises:
            AssertionError: it fails, and `check` is set.

        """
        return _run([*self._enter(), *command], check=check)

    def anvil_gen(self, *arguments: str, cwd: Path, check: bool = True) -> Result:
        """Run `anvil-gen` as if on the machine.

        Raises:
            AssertionError: it fails, and `check` is set.

        """
        command = ["unshare", "--mount", "sh", "-euc", ON_IT, "sh", sys.executable, "-m", "anvil_gen", *arguments]
        path = f"{self._work / 'bin'}:{os.environ['PATH']}"
        return _run(command, cwd=cwd, check=check, environment={"WORK": str(self._work), "PATH": path})


def _run(
    command: Sequence[str], *, check: bool, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Result:
    done = run(*command, cwd=cwd or Path(), env=environment)
    assert done.code == 0 or not check, f"{' '.join(command[-8:])}\n{done.stdout}{done.stderr}"
    return done


def _cgroup_folder() -> Path:
    """Return where the machine's control groups of the second kind are."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    found = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    assert found, "control groups of the second kind are not mounted here, and systemd needs them"
    return found[0]
