"""A file replaced as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.deploy.atomic_write import replace_file
from anvil_gen.deploy.contained_folder import temporary_name
from anvil_gen.diagnostics import DiagnosticError


def test_a_file_is_replaced_with_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_bytes(b"a\r\n")
    file.chmod(0o640)
    replace_file(file, b"a\r\n", b"b\r\n")

    assert file.read_bytes() == b"b\r\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["box.toml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "box.toml").write_bytes(b"a")
    (tmp_path / "box.toml").symlink_to("real/box.toml")
    replace_file(tmp_path / "box.toml", b"a", b"b")

    assert (tmp_path / "box.toml").is_symlink()
    assert (tmp_path / "real" / "box.toml").read_bytes() == b"b"


def diagnostic(file: Path, before: bytes = b"a") -> str:
    """Return why a file is not replaced; it is as it was."""
    was = file.read_bytes() if file.is_file() else None
    with pytest.raises(DiagnosticError) as caught:
        replace_file(file, before, b"b")
    assert (file.read_bytes() if file.is_file() else None) == was
    assert sorted(path.name for path in file.parent.iterdir()) == ([file.name] if file.exists() else [])
    return caught.value.diagnostics[0].detail


def test_what_cannot_be_replaced_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    assert diagnostic(file) == "no such file or directory"
    file.write_bytes(b"somebody's")
    assert diagnostic(file) == "somebody has changed it in the meantime"
    file.write_bytes(b"a")
    file.chmod(0o444)
    assert diagnostic(file) == "it is read-only"


def test_an_interrupt_leaves_nothing_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "box.toml"
    file.write_bytes(b"a")
    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(file, b"a", b"b")

    assert file.read_bytes() == b"a"
    assert [path.name for path in tmp_path.iterdir()] == ["box.toml"]


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_bytes(b"old")
    (tmp_path / temporary_name("box.toml", "half")).write_bytes(b"half")
    (tmp_path / ".mine.tmp").write_bytes(b"mine")
    replace_file(file, b"old", b"new")

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"box.toml": b"new", ".mine.tmp": b"mine"}
