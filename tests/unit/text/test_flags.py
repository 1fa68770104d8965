"""Flags of command lines, and the values that follow them."""

from __future__ import annotations

import pytest

from anvil_gen.text.flags import parse_flags


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["serve", "/m"], [("", ("serve",)), ("", ("/m",))]),
        (["--a"], [("--a", ())]),
        (["--a="], [("--a", ("",))]),
        (["--a=x=y", "z"], [("--a", ("x=y",)), ("", ("z",))]),
        (["--a", "x", "y", "-ngl", "9"], [("--a", ("x", "y")), ("-ngl", ("9",))]),
        (["--a", "-1", "-.5", "-"], [("--a", ("-1", "-.5", "-"))]),
        (["--a=-x", "--3d", "--x[0].y=1"], [("--a", ("-x",)), ("--3d", ()), ("--x[0].y", ("1",))]),
        (["--a", "--", "x"], [("--a", ()), ("--", ("x",))]),
        (["--ä=1", "--=x", "---x"], [("", ("--ä=1",)), ("--", ("x",)), ("", ("---x",))]),
        (["--a=two\nlines"], [("--a", ("two\nlines",))]),
        (["--a=1", "--a=2"], [("--a", ("1",)), ("--a", ("2",))]),
    ],
)
def test_a_command_line(words: list[str], expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert parse_flags(words) == expected
