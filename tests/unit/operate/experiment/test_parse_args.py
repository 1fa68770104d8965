"""Command lines read backwards."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.inventory.typed_values import flag_entry, typed_value
from anvil_gen.operate.experiment.parse_args import parse_arguments
from anvil_gen.resolve.command_line import flag_arguments
from anvil_gen.values import Number


@pytest.mark.parametrize(
    ("words", "flags", "stray"),
    [
        ([], [], []),
        (["--a"], [("a", ())], []),
        (["--a=1", "--b", "2", "--c"], [("a", ("1",)), ("b", ("2",)), ("c", ())], []),
        (["--a=", "--b", ""], [("a", ("",)), ("b", ("",))], []),
        (["--a=x=y"], [("a", ("x=y",))], []),
        (["--a", "x", "y", "--b"], [("a", ("x", "y")), ("b", ())], []),
        (["--a", "-1", "--b=-x", "-1.5e3"], [("a", ("-1",)), ("b", ("-x",))], ["-1.5e3"]),
        (["--a", "-x", "-"], [("a", ())], ["-x"]),
        (["stray", "--a_b.c"], [("a_b.c", ())], ["stray"]),
        (["--a", "-1.5e3", "-.5", "-"], [("a", ("-1.5e3", "-.5", "-"))], []),
        (["--a", "--", "x"], [("a", ())], ["--"]),
        (["--a=two\nlines"], [("a", ("two\nlines",))], []),
        (["--ä=1", "--=x", "---x"], [], ["--ä=1", "--", "---x"]),
    ],
)
def test_a_line(words: list[str], flags: list[tuple[str, tuple[str, ...]]], stray: list[str]) -> None:
    line = parse_arguments(words)

    assert [(flag.name, flag.values) for flag in line.flags] == flags
    assert list(line.stray) == stray


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-5", -5),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", "9223372036854775808"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("-0", "-0"),
        ("32k", "32k"),
        ("true", "true"),
        ("False", "False"),
        ("", ""),
        (" 1", " 1"),
        (".5", ".5"),
        ("5.", "5."),
        ("0x10", "0x10"),
        ("inf", "inf"),
        ("nan", "nan"),
        ("1979-05-27", "1979-05-27"),
        ('{"a":{"b":[1,true]},"c":"ü"}', {"a": {"b": [1, True]}, "c": "ü"}),
        ('{"a": null}', '{"a": null}'),
        ('{"a": NaN}', '{"a": NaN}'),
        ('{"a":1,"a":2}', '{"a":1,"a":2}'),
        ('{"env":"HOME"}', '{"env":"HOME"}'),
        ('{"a":99999999999999999999}', '{"a":99999999999999999999}'),
        ("{x}", "{x}"),
        ("[1,2]", "[1,2]"),
        ("{" * 5000, "{" * 5000),
    ],
)
def test_a_value_has_its_toml_type(text: str, value: Any) -> None:
    found = typed_value(text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["0.90", "-1.5", "1e5", "1.0E-3"])
def test_a_float_keeps_its_spelling(text: str) -> None:
    found = typed_value(text)

    assert isinstance(found, Number)
    assert str(found) == text
    assert str(typed_value(f'{{"a":{text}}}')["a"]) == text


@pytest.mark.parametrize(
    "words",
    [
        ["--a"],
        ["--a=1"],
        ["--a=0.90"],
        ["--a=true"],
        ["--a="],
        ["--a=-x"],
        ['--a={"b":1,"c":{"d":"e"}}'],
        ["--a", "x", "2"],
    ],
)
def test_what_is_read_is_written_the_same(words: list[str]) -> None:
    (flag,) = parse_arguments(words).flags

    assert list(flag_arguments(flag.name, flag_entry(flag.values), "equals", "spread")) == words
