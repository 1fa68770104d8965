"""Paths as Docker takes them, and where this machine's programs find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_gen.host_paths import is_windows_path, local_path


@pytest.mark.parametrize(
    ("path", "windows"),
    [("/srv/models", False), ("//srv/x", False), ("C:/models", True), ("c:\\m", True), ("\\\\nas\\share\\m", True)],
)
def test_whose_path_it_is(path: str, windows: bool) -> None:
    assert is_windows_path(path) is windows


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/models", "srv/models"),
        ("C:/Users/me/models", "mnt/c/Users/me/models"),
        ("c:\\Users\\me", "mnt/c/Users/me"),
        ("D:/x", None),
        ("\\\\nas\\share\\m", None),
    ],
)
def test_in_wsl2(path: str, expected: str | None, tmp_path: Path) -> None:
    (tmp_path / "mnt" / "c").mkdir(parents=True)
    seen = local_path(path, system="linux", root=tmp_path)

    assert seen == (tmp_path / expected if expected is not None else None)


def test_on_windows() -> None:
    assert local_path("C:/models", system="win32") == Path("C:/models")
    assert local_path("/srv/models", system="win32") is None
