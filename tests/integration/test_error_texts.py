"""Realistic inventories with errors, and all that a person reads about them: the text beside each is the snapshot."""

from __future__ import annotations

import subprocess
import sys

import pytest
from places import REPOSITORY
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation

FAULTS = REPOSITORY / "tests" / "faults"
INVENTORIES = sorted(path.stem for path in FAULTS.glob("*.toml"))


class BesideTheInventory(SingleFileSnapshotExtension):
    """A snapshot under the inventory's own name."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        return str(FAULTS)

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: str | int = 0) -> str:
        return str(index)


@pytest.mark.parametrize("name", INVENTORIES)
def test_what_a_person_reads(name: str, snapshot: SnapshotAssertion) -> None:
    """To fix it, read the text as one who gets it, and then: pytest --snapshot-update."""
    command = [sys.executable, "-m", "anvil_gen", "render", f"{name}.toml"]
    done = subprocess.run(command, cwd=FAULTS, capture_output=True, encoding="utf-8", check=False, timeout=300)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == snapshot(name=name, extension_class=BesideTheInventory)


def test_every_text_belongs_to_an_inventory() -> None:
    listed = sorted(path.name for path in FAULTS.iterdir())

    assert listed == sorted(f"{name}.{kind}" for name in INVENTORIES for kind in ("toml", "txt"))
