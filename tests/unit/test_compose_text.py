"""Variables in the texts of compose files: what is written, and what is read."""

from __future__ import annotations

from time import process_time

import pytest

from anvil_gen.values import EnvRef, Interpolation, VariableText, compose_text, interpolations, split_compose_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", ["plain"]),
        ("a$$b $", ["a", "$", "b $"]),
        ("$A-${B}", [Interpolation(name="A"), "-", Interpolation(name="B")]),
        ("${A:-${B:-}}c", [Interpolation(name="A", operator=":-", word="${B:-}"), "c"]),
        ("a${A:-b", ["a${A:-", "b"]),
        ("${A:-x y}", [Interpolation(name="A", operator=":-", word="x y")]),
        ("${A?}${B+c}", [Interpolation(name="A", operator="?"), Interpolation(name="B", operator="+", word="c")]),
        ("$${A} ${1} $$$B", ["$", "{A} ${1} ", "$", Interpolation(name="B")]),
    ],
)
def test_pieces(text: str, expected: list[str | Interpolation]) -> None:
    assert [part for part in split_compose_text(text) if part != ""] == expected


@pytest.mark.parametrize("text", ["${A:-" * 50_000, "${A:-" * 3000 + "}" * 3000, "${A:-" * 3000 + "}}" * 3000])
def test_variables_that_nobody_means_are_none(text: str) -> None:
    """Neither the depth nor the length of what is inside one another counts then."""
    began = process_time()
    found = list(interpolations(text))

    assert all(one.word.count("${") < 64 for one in found)
    assert process_time() - began < 5


def test_what_is_written_is_read() -> None:
    refs = EnvRef(name="A"), EnvRef(name="B", default="x"), EnvRef(name="C", error="why")
    found = list(interpolations(compose_text(VariableText(("$A ${B}", *refs, "$")))))

    assert [(one.name, one.word) for one in found] == [("A", ""), ("B", "x"), ("C", "why")]
    assert [(one.operator, one.has_default) for one in found] == [("", False), (":-", True), (":?", False)]
