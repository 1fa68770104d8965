"""A disk that is full at any place of a render, and a folder that cannot be written to: the old tree stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from namespaces import with_mounts
from running import INVENTORY, ROUTER, SECOND_TIER, anvil_gen, fleet, listing, tree

OLD = INVENTORY + SECOND_TIER
NEW = INVENTORY.replace("65536", "32768") + ROUTER

# deploy/ is a small disk with the old tree on it. In each round something more of it is free.
FILLED = """
mkdir deploy
mount -t tmpfs -o {limits} tmpfs deploy
[ -z "{first}" ] || mv old deploy/box
for round in $(seq 0 {rounds}); do
  {fill}
  rm -rf after before
  [ ! -d deploy/box ] || cp -a deploy/box before
  code=0
  {render} render box >out 2>err || code=$?
  rm -f deploy/filler
  echo "$code"
  [ "$code" = 1 ] || break
  tr -d '\\n' <err
  echo
  find deploy | sort | tr '\\n' ' '
  echo
  [ ! -d before ] || diff -r before deploy/box
done
{render} render box --check
"""
BY_BYTES = "head -c $((4096 * (64 - round))) /dev/zero >deploy/filler 2>/dev/null || true"
"""Pages are what a tmpfs counts: all but ``round`` of them are taken."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fleet with an old tree in old/, and an inventory that has changed since."""
    home = fleet(tmp_path / "fleet", box=OLD)
    anvil_gen("render", "box", "--output", "old", cwd=home)
    return fleet(home, box=NEW)


def run(home: Path, script: str, **values: object) -> str:
    program = f"'{sys.executable}' -m anvil_gen"
    return with_mounts(script.format(render=program, **values), home, env={**os.environ, "LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize("existing", [True, False], ids=["update", "first"])
@pytest.mark.parametrize("what", ["bytes", "files"])
def test_a_full_disk(home: Path, existing: bool, what: str) -> None:
    kept = {f"deploy/box/{path}" for path in listing(home / "old")} | {"deploy/box"} if existing else set()
    if what == "bytes":
        values = {"limits": "size=256k", "fill": BY_BYTES}
    else:
        taken = len(listing(home / "old")) + 1 if existing else 0
        values = {
            "limits": "size=1m",
            "fill": f"mount -o remount,size=1m,nr_inodes=$(({taken} + 2 + round)) tmpfs deploy",
        }
    *rounds, last, _ = run(home, FILLED, first="x" if existing else "", rounds=40, **values).splitlines()

    assert last == "0"
    assert len(rounds) >= 3 * 3
    for code, error, found in zip(rounds[::3], rounds[1::3], rounds[2::3], strict=True):
        assert code == "1"
        assert error.startswith("error: cannot write the rendered files  --> deploy/box")
        assert error.endswith("  no space left on device  fix that, and render again: no file has been changed")
        assert set(found.split()) == kept | {"deploy"}


READ_ONLY = """
mount --bind deploy deploy
mount -o remount,bind,ro deploy
{render} render box {options} >out 2>err || echo $?
cat err
"""


@pytest.mark.parametrize("existing", [True, False], ids=["update", "first"])
def test_a_read_only_folder(home: Path, existing: bool) -> None:
    (home / "deploy").mkdir()
    if existing:
        (home / "old").rename(home / "deploy" / "box")
    before = listing(home / "deploy"), tree(home / "deploy")
    code, *error = run(home, READ_ONLY, options="").splitlines()

    assert (code, error) == (
        "1",
        [
            "error: cannot write the rendered files",
            "  --> deploy/box/.anvil-gen",
            "  read-only file system",
            "  fix that, and render again: no file has been changed",
            "",
        ],
    )
    assert (listing(home / "deploy"), tree(home / "deploy")) == before


def test_a_read_only_folder_can_be_checked(home: Path) -> None:
    (home / "deploy").mkdir()
    (home / "old").rename(home / "deploy" / "box")
    before = listing(home / "deploy")
    assert run(home, READ_ONLY, options="--check") == "2\n"
    fleet(home, box=OLD)
    assert run(home, READ_ONLY, options="--check") == ""
    assert run(home, READ_ONLY, options="") == ""  # nothing to write
    # What a killed render left, and cannot be removed now, changes nothing that is compared.
    left_over = home / "deploy" / "box" / ".anvil-gen" / ".anvil-gen-0123456789ab.tmp"
    left_over.touch()
    assert run(home, READ_ONLY, options="--check") == ""
    left_over.unlink()
    assert listing(home / "deploy") == before
