"""Kills at any moment of `render`, `init` and what `promote` writes: a few in every run, 200 of each in `--long`.

Those of `up` and of a whole `promote` need a Docker daemon: tests/e2e/test_cut_short.py, tests/e2e/test_promote.py.
tests/integration/test_sudden_death.py kills a render before each of its system calls.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from effort import EFFORT
from running import INVENTORY, ROUTER, SECOND_TIER, anvil_gen, commit_all, fleet, git_output

KILLS = 200 if EFFORT > 1 else 6
MOMENTS = random.Random(17)
"""A fixed seed: the same moments in every run, as shares of the time that a whole run takes."""
ROOT = Path(__file__).parents[2]
PARTS = ("anvil_gen", "templates", "copier.yml", "pyproject.toml")
ANVIL_GEN = [sys.executable, "-m", "anvil_gen"]
INIT = ["init", "fleet", "--yes", "-d", "gpus=", "-d", "preset=cpu-demo", "-d", "hfcache=hfcache", "-d", "machine=box"]
WRITE = """import sys
from pathlib import Path
from anvil_gen.deploy.atomic_write import replace_file
replace_file(Path(sys.argv[1]), b"old" * 100_000, b"new" * 100_000)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the program that stays as it is, whatever becomes of this clone while the kills go on.

    `init` writes down the commit that it is installed from.
    """
    folder = tmp_path_factory.mktemp("installed")
    for path in git_output(ROOT, "ls-files", "-z", "--", *PARTS).split("\0"):
        if path and (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    commit_all(folder)
    metadata = folder / "anvil_gen-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: anvil-gen\nVersion: 1.0\n", "utf-8")
    (metadata / "direct_url.json").write_text(json.dumps({"url": folder.as_uri(), "dir_info": {}}), "utf-8")
    return folder


@pytest.fixture(autouse=True)
def alone(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask no Docker, run the copy, and keep what is compiled here."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def killed(command: list[str], folder: Path, after: float) -> bool:
    """Start a command, kill it after some seconds, and tell whether it was still running."""
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(after)
    was_running = process.poll() is None
    if was_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return was_running


def seconds_of(command: list[str], folder: Path) -> float:
    began = time.monotonic()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def content(folder: Path, *, apart: str = ".env") -> dict[str, bytes]:
    """Return every file of a folder but the state, git's own and those of one name, which has random content."""
    return {
        path.relative_to(folder).as_posix(): b"" if path.name == apart else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {".anvil-gen", ".git"} & set(path.relative_to(folder).parts)
    }


def test_render(tmp_path: Path) -> None:
    old, new = INVENTORY + SECOND_TIER + ROUTER, INVENTORY.replace("65536", "32768") + ROUTER
    start = fleet(tmp_path / "start", box=old)
    anvil_gen("render", "box", cwd=start)
    fleet(start, box=new)
    whole = Path(shutil.copytree(start, tmp_path / "whole"))
    seconds = seconds_of([*ANVIL_GEN, "render", "box"], whole)
    wanted = content(whole)
    for number in range(KILLS):
        case = Path(shutil.copytree(start, tmp_path / "case"))
        killed([*ANVIL_GEN, "render", "box"], case, MOMENTS.random() * seconds)
        done = anvil_gen("render", "box", cwd=case)

        assert (done.code, content(case)) == (0, wanted), number
        assert anvil_gen("render", "box", "--check", cwd=case).code == 0
        shutil.rmtree(case)


def test_init(tmp_path: Path, installed: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    seconds = seconds_of([*ANVIL_GEN, *INIT], whole)
    wanted = content(whole)
    assert "fleet/deploy/box/.env" in wanted
    commit = git_output(installed, "rev-parse", "--short", "HEAD").strip()
    assert f"_commit: {commit}\n" in wanted["fleet/.copier-answers.box.yml"].decode()
    for number in range(KILLS):
        case = tmp_path / "case"
        case.mkdir()
        was_running = killed([*ANVIL_GEN, *INIT], case, MOMENTS.random() * seconds)
        done = anvil_gen(*INIT, cwd=case)

        # All of it may be there before the process has ended.
        assert done.code == 0 or "host is already in the fleet" in done.stderr, (number, was_running, done.stderr)
        assert content(case) == wanted, number
        shutil.rmtree(case)


@pytest.mark.parametrize("left", ["nothing rendered", "no key", "half a tree"])
def test_an_init_that_was_killed_is_finished_by_the_next(tmp_path: Path, left: str) -> None:
    assert anvil_gen(*INIT, cwd=tmp_path).code == 0
    wanted, deploy = content(tmp_path), tmp_path / "fleet" / "deploy"
    if left == "nothing rendered":
        shutil.rmtree(deploy)
    elif left == "no key":
        (deploy / "box" / ".env").unlink()
    else:
        (deploy / "box" / ".anvil-gen" / "state.json").unlink()
        (deploy / "box" / "docker-compose.yml").unlink()
    done = anvil_gen(*INIT, cwd=tmp_path)

    assert (done.code, content(tmp_path)) == (0, wanted), done.stderr
    assert anvil_gen(*INIT, cwd=tmp_path).code == 1


def test_what_promote_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "hosts" / "box.toml")]
    (tmp_path / "hosts").mkdir()
    file = tmp_path / "hosts" / "box.toml"
    file.write_bytes(b"old" * 100_000)
    seconds = seconds_of(command, tmp_path)
    for _ in range(KILLS):
        file.write_bytes(b"old" * 100_000)
        killed(command, tmp_path, MOMENTS.random() * seconds)
        assert file.read_bytes() in (b"old" * 100_000, b"new" * 100_000)
        if file.read_bytes().startswith(b"old"):
            seconds_of(command, tmp_path)
        else:  # as the next one finds it
            file.write_bytes(b"old" * 100_000)
            seconds_of(command, tmp_path)

        assert file.read_bytes() == b"new" * 100_000
        assert [path.name for path in file.parent.iterdir()] == ["box.toml"]


def test_an_answer_that_is_no_number_is_told_in_words(tmp_path: Path) -> None:
    done = anvil_gen(*INIT, "-d", "router_port=x", cwd=tmp_path)

    assert done.code == 1
    assert 'router_port: "x" is not a whole number' in done.stderr
    assert list(tmp_path.glob("fleet/hosts")) == []
