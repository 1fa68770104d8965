"""Renders into one folder at the same time: one after the other, whoever comes first."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from running import EXPERIMENT, INVENTORY, ROUTER, SECOND_TIER, TIMEOUT_SECONDS, anvil_gen, commit_all, fleet, tree

from anvil_gen.deploy.deploy_tree import DeployTree
from anvil_gen.deploy.pipeline import Generator

ONE = INVENTORY + SECOND_TIER + ROUTER
OTHER = INVENTORY.replace("65536", "32768") + EXPERIMENT
STATE = [".gitignore", "state.json"]
ROUNDS = 2
AT_ONCE = 6
WRITES = 60

WRITE_OFTEN = """
import sys
from pathlib import Path
from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.deploy.plan import Plan

*homes, out = map(Path, sys.argv[2:])
rendered = [Generator().render(home / "hosts" / "box.toml", output=out) for home in homes]
for number in range(int(sys.argv[1])):
    write([Plan(rendered[number % 2].host, rendered[number % 2].tree)])
"""

HOLD = """
import sys, time
from pathlib import Path
from anvil_gen.deploy.contained_folder import ContainedFolder
from anvil_gen.deploy.deploy_tree import DeployTree
from anvil_gen.resolve.host import Sources

def rename_once(*arguments):
    rename(*arguments)
    print("held", flush=True)
    time.sleep(600)

rename, ContainedFolder.rename = ContainedFolder.rename, rename_once
folder = DeployTree(Path(sys.argv[1]), inventory="hosts/box.toml")
files, sources = {"docker-compose.yml": "half\\n"}, Sources(own="", shipped="")
folder.lock()
folder.stage(files, folder.compare(files), sources=sources)
folder.commit()
"""


def started(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "anvil_gen", *arguments]
    return subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Return exit code and stderr of each process."""
    return [(process.returncode, err) for process in processes for _, err in [process.communicate(timeout=300)]]


def rendered(home: Path) -> dict[str, str]:
    return dict(Generator().render(home / "hosts" / "box.toml").tree.files)


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the midst of a write to a folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("existing", [False, True], ids=["first", "update"])
def test_the_tree_is_that_of_one_of_them(tmp_path: Path, existing: bool) -> None:
    homes = [fleet(tmp_path / "one", box=ONE), fleet(tmp_path / "other", box=OTHER)]
    wanted = [rendered(home) for home in homes]
    for number in range(ROUNDS):
        out = tmp_path / f"out {number}" / "box"
        if existing:
            assert anvil_gen("render", "box", "--output", str(out), cwd=homes[number % 2]).code == 0
        processes = [started(home, "render", "box", "--output", str(out)) for home in homes * (AT_ONCE // 2)]

        assert ended(processes) == [(0, "")] * AT_ONCE
        assert tree(out) in wanted
        assert sorted(path.name for path in (out / ".anvil-gen").iterdir()) == STATE
        for home, files in zip(homes, wanted, strict=True):
            expected = 0 if tree(out) == files else 2
            assert anvil_gen("render", "box", "--check", "--output", str(out), cwd=home).code == expected


def test_writes_without_a_pause(tmp_path: Path) -> None:
    """Far more often than command lines can: what lies between two looks at the folder is met too."""
    homes = [fleet(tmp_path / "one", box=ONE), fleet(tmp_path / "other", box=OTHER)]
    out = tmp_path / "box"
    command = [sys.executable, "-c", WRITE_OFTEN, str(WRITES)]
    orders = [[str(home) for home in order] for order in (homes, homes[::-1])]
    processes = [
        subprocess.Popen([*command, *order, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for order in orders * 2
    ]

    assert ended(processes) == [(0, "")] * len(processes)
    assert tree(out) in [rendered(home) for home in homes]
    assert sorted(path.name for path in (out / ".anvil-gen").iterdir()) == STATE


def test_a_check_meanwhile_sees_whole_trees(tmp_path: Path) -> None:
    """What it compares is one tree or the other, never a part of each: a mix would differ in another set of files."""
    homes = [fleet(tmp_path / "one", box=ONE), fleet(tmp_path / "other", box=OTHER)]
    out = tmp_path / "box"
    assert anvil_gen("render", "box", "--output", str(out), cwd=homes[0]).code == 0
    wanted = [rendered(home) for home in homes]
    differing = {path for path in wanted[0] | wanted[1] if wanted[0].get(path) != wanted[1].get(path)}
    command = ["render", "box", "--check", "--json"]
    for _ in range(ROUNDS):
        writers = [started(home, "render", "box", "--output", str(out)) for home in reversed(homes)]
        checks = [started(homes[0], *command, "--output", str(out)) for _ in range(AT_ONCE // 2)]
        for check in checks:
            shown = check.communicate(timeout=TIMEOUT_SECONDS)[0]
            told = {file["path"] for file in json.loads(shown)["hosts"][0]["files"]}
            assert (check.returncode, told) in ((0, set()), (2, differing))
        assert ended(writers) == [(0, "")] * 2


def test_several_hosts_in_any_order(tmp_path: Path) -> None:
    # A fleet in a fleet: so both have a folder in common.
    homes = [
        fleet(folder, a=text + host(f"{shared}/a"), b=text + host(f"{shared}/b"))
        for folder, text, shared in ((tmp_path, ONE, "in/shared"), (tmp_path / "in", OTHER, "shared"))
    ]
    processes = [started(home, "render", *names) for home in homes * 3 for names in (["a", "b"], ["b", "a"])]

    assert ended(processes) == [(0, "")] * len(processes)


def host(output: str) -> str:
    return f'\n[host]\noutput = "../{output}"\n'


@pytest.mark.parametrize("verb", [["render", "box"], ["render", "box", "--check"]], ids=["render", "check"])
def test_a_killed_holder_keeps_nobody_out(tmp_path: Path, verb: list[str]) -> None:
    home = fleet(tmp_path, box=ONE)
    anvil_gen("render", "box", cwd=home)
    before = tree(home / "deploy" / "box")
    with held(home / "deploy" / "box") as holder:
        waiting = started(home, *verb)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        holder.kill()
        assert ended([waiting]) == [(0, "")]
    if "--check" in verb:  # which leaves all as it is
        assert anvil_gen("render", "box", cwd=home).code == 0

    assert tree(home / "deploy" / "box") == before
    assert sorted(path.name for path in (home / "deploy" / "box" / ".anvil-gen").iterdir()) == STATE


def test_git_sees_nothing_of_the_lock_and_the_state(tmp_path: Path) -> None:
    home = fleet(tmp_path, box=ONE)
    anvil_gen("render", "box", cwd=home)
    commit_all(home)
    folder = DeployTree(home / "deploy" / "box", inventory="hosts/box.toml")
    assert folder.lock()
    status = subprocess.run(
        ["git", "-C", str(home), "status", "--porcelain", "--ignored"], capture_output=True, text=True, check=True
    )
    assert status.stdout == "!! deploy/box/.anvil-gen/\n"
    folder.drop()


def test_nothing_to_write_waits_for_nobody(tmp_path: Path) -> None:
    """A render that changes nothing takes no lock: it works where nothing can be written."""
    home = fleet(tmp_path, box=ONE)
    anvil_gen("render", "box", cwd=home)
    ignored = home / "deploy" / "box" / ".anvil-gen" / ".gitignore"
    ignored.unlink()

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert not ignored.exists()
