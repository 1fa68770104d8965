"""The real strace, for tests that end a process at an exact place: right before one of its system calls."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# All that can change a file or a folder; a `?` where not every architecture has the call.
_CHANGING = (
    "openat,?openat2,?open,?creat,write,writev,pwrite64,pwritev,pwritev2,sendfile,splice,copy_file_range,fallocate,"
    "ftruncate,truncate,?mkdir,mkdirat,?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,?link,linkat,?symlink,"
    "symlinkat,?chmod,fchmod,fchmodat,?fchmodat2,?chown,?lchown,fchown,fchownat,?utime,?utimes,?futimesat,utimensat,"
    "?mknod,mknodat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr"
)
# What cannot, though a file or folder is named in it.
_READING = frozenset(
    re.findall(
        r"\w+",
        """access chdir close close_range dup dup2 dup3 execve faccessat faccessat2 fadvise64 fcntl fdatasync fgetxattr
        flock fstat fstatfs fsync getcwd getdents getdents64 getxattr ioctl lgetxattr listxattr lseek lstat newfstatat
        poll pread64 preadv read readahead readlink readlinkat readv stat statfs statx""",
    )
)
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*?)\)? += ", re.DOTALL)
_ONLY_READS = re.compile(r"O_RDONLY(?!.*O_(?:CREAT|TRUNC))")
_TIMEOUT_SECONDS = 300


class Call(NamedTuple):
    """A system call of a process: the ``number``-th of its name, counted from 1."""

    name: str
    number: int
    arguments: str


def strace() -> str:
    """Return the program.

    A missing one is an error and never a reason to skip: a test that is skipped proves nothing.
    """
    found = shutil.which("strace")
    if found is None:
        raise RuntimeError("strace is missing: install it (apt-get install strace), or run scripts/setup --e2e")
    return found


def changing_calls(command: Sequence[str], folder: Path, *, below: Path, env: Mapping[str, str]) -> list[Call]:
    """Run a command in ``folder`` to its end, and return each call that may change something ``below`` a folder."""
    _, lines = _traced(command, folder, env, [])
    return [call for call in _calls(lines) if str(below) in call.arguments and not _ONLY_READS.search(call.arguments)]


def unknown_calls(command: Sequence[str], folder: Path, *, below: Path, env: Mapping[str, str]) -> set[str]:
    """Run a command to its end; return the calls that name something ``below``, and that no list here knows.

    A file that is mapped into memory is one of them: it could be changed without a call.
    """
    _, lines = _traced(command, folder, env, [], what="all")
    changing = {name.strip("?") for name in _CHANGING.split(",")}
    return {call.name for call in _calls(lines) if str(below) in call.arguments} - changing - _READING


def kill_before(call: Call, command: Sequence[str], folder: Path, *, env: Mapping[str, str]) -> None:
    """Run a command in ``folder``, and kill it with SIGKILL right before a call: the kernel does not carry that out."""
    inject = ["-e", f"inject={call.name}:signal=KILL:when={call.number}"]
    code, lines = _traced(command, folder, env, inject)
    *_, last, end = lines
    assert (code, end) == (-9, "+++ killed by SIGKILL +++")
    assert last.endswith("= ?")
    assert [*_calls(lines)][-1] == call


def _calls(lines: Sequence[str]) -> list[Call]:
    counts: Counter[str] = Counter()
    found = []
    for line in lines:
        match = _CALL.match(line)
        if match is not None:
            counts[match["name"]] += 1
            found.append(Call(match["name"], counts[match["name"]], match["arguments"]))
    return found


def _traced(
    command: Sequence[str], folder: Path, env: Mapping[str, str], options: Sequence[str], *, what: str = _CHANGING
) -> tuple[int, list[str]]:
    trace = ["-qq", "-y", "-s", "0", "-e", f"trace={what}"]
    log = folder.with_name(f"{folder.name}.trace")
    done = subprocess.run(
        [strace(), *trace, *options, "-o", str(log), *command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    lines = log.read_text("utf-8").splitlines()
    log.unlink()
    return done.returncode, lines
