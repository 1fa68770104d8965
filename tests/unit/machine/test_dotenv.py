"""Values of variables, as Compose takes them."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest
from compose_texts import ENV_TEXT

from anvil_gen.machine.dotenv import parse, variables
from anvil_gen.text.interpolation import fill_variables, unset_variables


def test_what_a_file_says(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(ENV_TEXT)

    assert variables(tmp_path, {"EMPTY": "of the shell"}) == {
        "PLAIN": "last",
        "SPACED": "x",
        "SINGLE": "a # $B",
        "DOUBLE": "one\ntwo",
        "EMPTY": "of the shell",
        "HASH": "a#b",
        "lower": "y",
    }


@pytest.mark.parametrize("kind", ["none", "folder", "bytes"])
def test_a_file_that_says_nothing(kind: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    if kind == "folder":
        file.mkdir()
    elif kind == "bytes":
        file.write_bytes(b"\xff\xfe\x00")

    assert variables(tmp_path, {}) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a$$b", "a$b"),
        ("$SET-${SET}", "x-x"),
        ("${NONE:-d}${NONE-d}${EMPTY:-d}${EMPTY-d}", "ddd"),
        ("${SET:?no}${NONE:?no}", "x"),
        ("${SET:+s}${NONE:+s}", "s"),
        ("$${SET} $", "${SET} $"),
    ],
)
def test_filling_in(text: str, expected: str) -> None:
    assert fill_variables(text, {"SET": "x", "EMPTY": ""}) == expected


@pytest.mark.parametrize(
    ("text", "unset"),
    [
        ("${A:-${B}}", [("B", False)]),
        ("${A:-${B:?no}}", [("B", True)]),
        ("${SET:-${B:?no}}${SET+${C}}${A:+${B}}", [("C", False)]),
        ("${EMPTY:?no}${EMPTY?no}$EMPTY", [("EMPTY", True), ("EMPTY", False)]),
        ("${A:-$$B}${SET}", []),
    ],
)
def test_only_what_is_taken_is_needed(text: str, unset: list[tuple[str, bool]]) -> None:
    assert list(unset_variables(text, {"SET": "x", "EMPTY": ""})) == unset


def test_what_a_text_needs() -> None:
    text = "$A ${B} ${C:-d} ${D-} ${E:?no} ${F?no} $$G ${H:+x}"

    assert list(unset_variables(text, {})) == [("A", False), ("B", False), ("E", True), ("F", True)]


@pytest.mark.parametrize(
    ("text", "values", "errors"),
    [
        ("a" + " " * 500_000 + "b=1", 0, 1),
        ("=\n" * 100_000, 0, 100_000),
        ("".join(f"v{at}=${{v{at - 1}}}x\n" if at else "v0=1\n" for at in range(20_000)), 20_000, 0),
        ("".join(f"v{at}=$v{at - 1}$v{at - 1}\n" if at else "v0=1\n" for at in range(64)), 17, 47),
        ("a=1\n" + "b=" + "$a" * 400_000, 1, 1),
    ],
    ids=["spaces", "no names", "each by the one before", "twice the one before", "too long"],
)
def test_no_file_takes_more_than_its_length(text: str, values: int, errors: int) -> None:
    began = process_time()
    found = parse(text, {})

    assert (len(found.values), len(found.errors)) == (values, errors)
    assert process_time() - began < 5
