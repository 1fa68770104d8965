"""What is said of faults: texts that are safe to show, and what may have been meant."""

from __future__ import annotations

import pytest

from anvil_gen.diagnostics import (
    Diagnostic,
    DiagnosticError,
    ExitCode,
    Location,
    did_you_mean,
    join_words,
    printable,
)


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 1), (125, 1), (130, 130)])
def test_a_commands_code_never_says_that_something_differs(code: int, expected: int) -> None:
    assert ExitCode.of_command(code) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 😀", "plain é 😀"),
        ("a\x1b[2Jb", "a\\u001b[2Jb"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202e\ufeff\U000e0001", "\\u202e\\ufeff\\U000e0001"),
    ],
)
def test_nothing_steers_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_a_long_text_keeps_its_ends() -> None:
    shown = printable(f"begin{'x' * 1000}end")

    assert shown.startswith("beginx")
    assert shown.endswith("xend")
    assert len(shown) == 401


def test_what_may_have_been_meant() -> None:
    assert did_you_mean("Fats", ["fast", "heavy"]) == 'did you mean "fast"?'
    assert did_you_mean("other", ["fast", "heavy"]) == ""


def test_a_list_ends_somewhere() -> None:
    assert join_words(["b", "a"]) == "a, b"
    assert join_words("dbca", limit=2) == "a, b, … (4 in all)"


def test_all_faults_are_told() -> None:
    diagnostics = [
        Diagnostic(code="no-tiers", location=Location(file="x.toml", line=3)),
        Diagnostic(code="unknown-tier"),
    ]

    assert str(DiagnosticError(iter(diagnostics))) == "x.toml:3: no tiers; unknown tier"
