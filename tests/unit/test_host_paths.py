"""Paths of the machine that is described: POSIX, Windows and UNC, wherever the test runs."""

from __future__ import annotations

import pytest

from anvil_gen.host_paths import is_absolute, is_below, join, last_part


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("/srv/models", True),
        ("/", True),
        ("C:/Users/me/models", True),
        (r"C:\models", True),
        (r"\\server\share\models", True),
        ("//server/share", True),
        ("models", False),
        ("./models", False),
        ("~/models", False),
        ("C:models", False),
        (r"\models", False),
        ("", False),
    ],
)
def test_is_absolute(path: str, absolute: bool) -> None:
    assert is_absolute(path) is absolute


@pytest.mark.parametrize(
    ("base", "inside", "joined"),
    [
        ("/srv/models", "a/b", "/srv/models/a/b"),
        ("/srv/models/", "/a/", "/srv/models/a"),
        ("/", "a", "/a"),
        ("C:/Users/me/my models", "a/b", "C:/Users/me/my models/a/b"),
        ("C:/models", r"a\b", "C:/models/a/b"),
        (r"C:\models", "a/b", r"C:\models\a\b"),
        ("C:\\", "a", r"C:\a"),
        (r"\\server\share\models", "ünï", r"\\server\share\models\ünï"),
        ("//server/share", "a", "//server/share/a"),
    ],
)
def test_join(base: str, inside: str, joined: str) -> None:
    assert join(base, inside) == joined


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/srv/models/a", "a"),
        ("/srv/models/a/", "a"),
        (r"C:\models\a b", "a b"),
        (r"\\server\share\a", "a"),
        ("/", ""),
        ("C:/", ""),
        ("C:\\", ""),
    ],
)
def test_last_part(path: str, name: str) -> None:
    assert last_part(path) == name


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("a", True),
        ("a/./b", True),
        ("gemma3:27b", True),
        ("..a", True),
        ("", False),
        (".", False),
        ("./.", False),
        ("..", False),
        ("a/../../b", False),
        (r"a\..\b", False),
        ("C:a", False),
    ],
)
def test_is_below(path: str, below: bool) -> None:
    assert is_below(path) is below
