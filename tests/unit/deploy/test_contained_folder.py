"""Modes and times are those of the file that was made, whatever is put in its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anvil_gen.deploy.contained_folder import ContainedFolder


def test_no_link_is_followed_to_set_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.write_text("theirs")
    other.chmod(0o600)
    before = other.stat()
    fsync = os.fsync

    def swapped(file: int) -> None:
        """Put a link in the file's place, as fast as somebody could."""
        fsync(file)
        (tmp_path / "tree" / "a").unlink()
        (tmp_path / "tree" / "a").symlink_to(other)

    monkeypatch.setattr(os, "fsync", swapped)
    (tmp_path / "tree").mkdir()
    ContainedFolder(tmp_path / "tree").create("a", b"ours", mode=0o666, time_ns=1)

    after = other.stat()
    assert (after.st_mode, after.st_mtime_ns, other.read_text()) == (before.st_mode, before.st_mtime_ns, "theirs")
