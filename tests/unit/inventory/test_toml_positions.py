"""Where keys and values stand, counted from 1 and in characters."""

from __future__ import annotations

import pytest
from inventories import without_marks

from anvil_gen.inventory.toml_positions import Positions
from anvil_gen.values import KeyPath


@pytest.mark.parametrize(
    ("marked", "path"),
    [
        ("a = ▸1\n", ("a",)),
        ("\ta\t=\t▸1\n", ("a",)),
        ('"😀" = 1\nb = { "😀" = ["é", ▸2] }\n', ("b", "😀", 1)),
        ("a.b.c = ▸1\n", ("a", "b", "c")),
        ("a . b = ▸1\n", ("a", "b")),
        ("[t.u]\nx = 0\ny = ▸1\n", ("t", "u", "y")),
        ("[ t . u ]\ny.z = ▸1\n", ("t", "u", "y", "z")),
        ('[t."a.b"]\ny = ▸1\n', ("t", "a.b", "y")),
        ("[t.'a\\b']\ny = ▸1\n", ("t", "a\\b", "y")),
        ('[t."a\\u0062\\n"]\ny = ▸1\n', ("t", "ab\n", "y")),
        ("[t]\n\n[u]\ny = ▸1\n", ("u", "y")),
        ("[[l]]\ny = 1\n[[l]]\ny = ▸2\n", ("l", 1, "y")),
        ("[[l]]\n[l.t]\ny = 1\n[[l]]\n[l.t]\ny = ▸2\n", ("l", 1, "t", "y")),
        ("x = [\n  1, # one\n  ▸2,\n]\n", ("x", 1)),
        ("x = [[1], [2, ▸3]]\n", ("x", 1, 1)),
        ("x = ▸1 # one\n", ("x",)),
        ("x = [1, ▸2] # two\n", ("x", 1)),
        ("x = { y = ▸1 } # one\n", ("x", "y")),
        ("x = { y = { z = ▸1 } }\n", ("x", "y", "z")),
        ('x = """\na = 1\n"""\na = ▸2\n', ("a",)),
        ("x = 1\r\ny = ▸2\r\n", ("y",)),
        ("# a\u2028b\u0085c\ny = ▸2\n", ("y",)),
    ],
)
def test_a_value_is_found(marked: str, path: KeyPath) -> None:
    text, [place] = without_marks(marked)

    assert Positions(text).find(path)[:2] == place


@pytest.mark.parametrize(
    ("marked", "path"),
    [
        ("▸a = 1\n", ("a",)),
        ("a.▸b = 1\n", ("a", "b")),
        ("[▸t.u]\n", ("t", "u")),
        ("[▸t.u]\n", ("t",)),
        ("[[▸l]]\n", ("l",)),
        ('x = { ▸"y z" = 1 }\n', ("x", "y z")),
        ("[t]\n▸y = 1\n", ("t", "y")),
        ("[▸t]\ny = 1\n", ("t",)),
    ],
)
def test_a_key_is_found(marked: str, path: KeyPath) -> None:
    text, [place] = without_marks(marked)

    assert Positions(text).find(path, key=True)[:2] == place


@pytest.mark.parametrize(
    ("marked", "path"),
    [
        ("▸x = 1\n", ("missing",)),
        ("[▸t]\ny = 1\n", ("t", "missing")),
        ("x = ▸{ y = 1 }\n", ("x", "missing", "deeper")),
        ("▸", ("anything",)),
    ],
)
def test_what_is_not_there_is_shown_at_its_parent(marked: str, path: KeyPath) -> None:
    text, [place] = without_marks(marked)

    assert Positions(text).find(path)[:2] == place


@pytest.mark.parametrize(
    ("text", "length"),
    [('a = "é😀"\n', 4), ("a = 12\r\n", 2), ('a = """\nlong\n"""\n', 3), ("a = [1, 2]\n", 6)],
)
def test_a_length_ends_with_the_line(text: str, length: int) -> None:
    assert Positions(text).find(("a",))[2] == length
