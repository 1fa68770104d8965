"""Files below a folder: what is put in the place of one is neither followed nor read without an end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anvil_gen.deploy.contained_folder import ContainedFolder
from anvil_gen.diagnostics import DiagnosticError


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


def test_what_no_memory_holds_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "state.json").open("wb") as file:
        file.truncate(1 << 36)

    with pytest.raises(DiagnosticError) as refused:
        ContainedFolder(tmp_path).read("state.json")
    assert [(one.code, one.detail) for one in refused.value.diagnostics] == [
        ("something-is-in-the-way", "it is larger than 64 MiB")
    ]
