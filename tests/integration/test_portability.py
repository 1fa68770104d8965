"""A render needs nothing that only one system has, and paths of any system come out as they are written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compose_cli import compose_config
from namespaces import with_mounts
from running import EXPERIMENT, INVENTORY, ROUTER, SECOND_TIER, TIMEOUT_SECONDS, anvil_gen, fleet, listing, tree

ALL = INVENTORY + SECOND_TIER + ROUTER + EXPERIMENT

REFUSE = """
import sys
POSIX_ONLY = (
    "fcntl pwd grp spwd termios tty pty resource syslog readline curses crypt nis _posixshmem _posixsubprocess "
    "multiprocessing"
).split()

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in POSIX_ONLY:
            raise ModuleNotFoundError(name)

for name in POSIX_ONLY:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Refusing())
"""
# They have a side for Windows that needs Windows.
LIBRARIES = """
import click, jinja2, msgspec, yaml
"""
# What Windows has instead of a lock by `os.lockf`, with the kernel's own locks behind it.
AS_ON_WINDOWS = """
import errno, os, types

lockf = os.lockf
calls = []

def locking(file, mode, count):
    calls.append((mode, count, os.lseek(file, 0, os.SEEK_CUR) > os.fstat(file).st_size))
    if len(calls) == 1:  # after ten seconds it gives up
        raise OSError(errno.EDEADLK, "deadlock")
    lockf(file, os.F_LOCK, count)

sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_LOCK=1)
for name in (
    "chown chroot fchdir fchmod fchown fork forkpty fstatvfs getegid geteuid getgid getgroups getloadavg getpgid "
    "getpgrp getuid killpg lchown lockf mkfifo mknod nice openpty pathconf pread preadv pwrite pwritev setsid setuid "
    "sched_getaffinity statvfs sync sysconf tcgetpgrp ttyname uname wait3 wait4 O_NOFOLLOW O_DIRECTORY O_SYNC"
).split():
    delattr(os, name)
sys.platform = "win32"
"""
RUN = """
from anvil_gen.deploy.pipeline import generator, write
from pathlib import Path
for _ in range(2):
    write(generator().render_all([Path("hosts") / "box.toml"]))
    Path("hosts/box.toml").write_text(Path("hosts/box.toml").read_text("utf-8").replace("65536", "32768"), "utf-8")
"""
LOCKED = """
assert calls == [(1, 1, True)] * 3, calls
"""


def run(home: Path, *parts: str, **env: str) -> None:
    """Run a program in ``home``."""
    done = subprocess.run(
        [sys.executable, "-c", "".join(parts)],
        cwd=home,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, str]:
    """What is rendered of ALL, with the change that RUN makes."""
    home = fleet(tmp_path / "expected", box=ALL.replace("65536", "32768"))
    assert anvil_gen("render", "box", cwd=home).code == 0
    return tree(home / "deploy" / "box")


def test_no_module_of_posix_alone(tmp_path: Path, expected: dict[str, str]) -> None:
    home = fleet(tmp_path / "home", box=ALL)
    run(home, REFUSE, RUN)

    assert tree(home / "deploy" / "box") == expected


def test_without_what_windows_lacks(tmp_path: Path, expected: dict[str, str]) -> None:
    home = fleet(tmp_path / "home", box=ALL)
    run(home, LIBRARIES, REFUSE, AS_ON_WINDOWS, RUN, LOCKED, LOCALAPPDATA=str(tmp_path / "AppData"))

    assert tree(home / "deploy" / "box") == expected
    assert sorted(path.name for path in (home / "deploy" / "box" / ".anvil-gen").iterdir()) == [
        ".gitignore",
        "state.json",
    ]
    assert listing(tmp_path / "AppData")[0] == "anvil-gen"


@pytest.mark.parametrize("form", ["crlf", "bom", "both"])
def test_the_same_bytes_from_an_editor_of_windows(tmp_path: Path, form: str, expected: dict[str, str]) -> None:
    text = ALL.replace("65536", "32768").replace("\n", "\n" if form == "bom" else "\r\n")
    home = fleet(tmp_path / "home")
    (home / "hosts").mkdir(parents=True)
    (home / "hosts" / "box.toml").write_bytes(text.encode("utf-8" if form == "crlf" else "utf-8-sig"))

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert {path: (home / "deploy" / "box" / path).read_bytes() for path in expected} == {
        path: text.encode() for path, text in expected.items()
    }


def test_a_home_that_cannot_be_written_to(tmp_path: Path) -> None:
    home = fleet(tmp_path / "home", box=ALL)
    (tmp_path / "user").mkdir()
    script = f"""
mount --bind ../user ../user
mount -o remount,bind,ro ../user
if touch ../user/x 2>/dev/null; then exit 1; fi
'{sys.executable}' -m anvil_gen render box 2>&1
"""
    env = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    printed = with_mounts(script, home, env={**env, "HOME": str(tmp_path / "user")})

    assert printed.startswith("box -> deploy/box\n")
    assert listing(tmp_path / "user") == []


@pytest.mark.parametrize(
    ("base", "model", "source"),
    [
        ("C:/Users/me/models", "qwen", "C:/Users/me/models/qwen"),
        (r"C:\Users\me\my models", "a/b", r"C:\Users\me\my models\a\b"),
        (r"\\server\share\models", "qwen", r"\\server\share\models\qwen"),
        ("//server/share/models", "qwen", "//server/share/models/qwen"),
        ("/srv/Modelle für alle", "größer/x y", "/srv/Modelle für alle/größer/x y"),
        ("/srv/models", r"D:\other\gpt", r"D:\other\gpt"),
        ("/srv/models", r"\\server\share\gpt", r"\\server\share\gpt"),
    ],
)
def test_paths_of_any_system(tmp_path: Path, base: str, model: str, source: str) -> None:
    text = INVENTORY.replace('"/srv/models"', f"'{base}'").replace('"gpt-oss-20b"', f"'{model}'")
    home = fleet(tmp_path, box=text)
    result = anvil_gen("render", "box", cwd=home)
    of_windows = not source.startswith("/srv/") and not source.startswith("//")
    assert (result.code, "is a path of Windows, and the platform is linux" in result.stderr) == (0, of_windows)

    service = compose_config(home / "deploy" / "box", "docker-compose.yml")["services"]["fast"]
    (bind,) = (mount for mount in service["volumes"] if mount["type"] == "bind")
    assert bind["source"] == source
    assert f"serve {bind['target']}" in " ".join(service["command"])


@pytest.mark.parametrize("output", ["aus gäbe/x y", "..out", "a'b\"c", "-dash", "#hash $HOME", "%TEMP%", "日本"])
def test_output_folders_of_any_name(tmp_path: Path, output: str, expected: dict[str, str]) -> None:
    home = fleet(tmp_path / "Büro Nr. 1", box=ALL.replace("65536", "32768"))
    for place in (f"--output={output}", f"--output={home / 'deeper' / output}"):
        assert anvil_gen("render", "box", place, cwd=home).code == 0
    config = compose_config(home / output, "docker-compose.yml", env={"ROUTER_TOKEN": ""})

    assert tree(home / output) == tree(home / "deeper" / output) == expected
    assert sorted(config["services"]) == ["fast", "heavy", "router", "router-reload"]
