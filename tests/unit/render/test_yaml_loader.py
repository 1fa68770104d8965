"""YAML is read as PyYAML's own safe loader reads it, but for keys that stand twice."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.yaml_loader import load_yaml

TEXTS = [
    "",
    "# nothing\n",
    "a",
    "a:\n  - 1\n  - [b, 'c', \"d\"]\n  - {e: ~, f: .5}\n",
    "a: 012\nb: 1:30\nc: yes\nd: .inf\ne: 1e3\nf: 1_000\ng: 2001-02-03\nh: 0x1f\n",
    "a: '012'\nb: \"yes\"\nc: '~'\nd: ''\ne:\n",
    "3: a\ntrue: b\n~: c\n2001-02-03: d\n'1': e\n",
    "a: |-\n  x\n  y\nb: >\n  x\n  y\n",
    "a: &x {b: 1}\nc: *x\n",
    "a: &x {b: 1}\nc: {<<: *x, d: 2}\n",
    "'<<': 1\n'=': 2\n",
    "a: !!str 1\nb: ! 2\nc: !!int '3'\n",
    "a: !!set {b, c}\n",
    "--- a\n...\n",
]
TWICE = ["a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "1: a\ntrue: b\n", "x: &x {b: 1}\ny: {<<: *x, c: 1, c: 2}\n"]
BROKEN = [
    "a: [",
    "a: *x\n",
    "a: 2001-99-99\n",
    "--- a\n--- b\n",
    "? {b: c}\n",
    "a: !x 1\n",
    "a: <<\n",
    "a: =\n",
    "\t",
]


def pyyaml(text: str) -> Any:
    """Return what PyYAML reads."""
    return yaml.load(text, yaml.CSafeLoader)


def typed(value: Any) -> Any:
    """Return a value in which 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return [(typed(key), typed(item)) for key, item in value.items()]
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), value)


@pytest.mark.parametrize("text", TEXTS)
def test_it_reads_what_pyyaml_reads(text: str) -> None:
    assert typed(load_yaml(text, "a.yml")) == typed(pyyaml(text))


@pytest.mark.parametrize("text", BROKEN)
def test_what_pyyaml_refuses_is_refused(text: str) -> None:
    with pytest.raises((yaml.YAMLError, ValueError)):
        pyyaml(text)
    with pytest.raises(InternalError, match=r"a\.yml does not parse"):
        load_yaml(text, "a.yml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc<=1~", max_size=3), inner),
    max_leaves=8,
)


@given(VALUES, st.booleans())
def test_any_data_are_read_as_pyyaml_reads_them(value: object, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, sort_keys=False)

    assert typed(load_yaml(text, "a.yml")) == typed(pyyaml(text))


@pytest.mark.parametrize("text", TWICE)
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(InternalError, match="is there twice"):
        load_yaml(text, "a.yml")


def test_only_direct_keys_count_as_twice() -> None:
    assert load_yaml("x: &x {b: 1}\ny: {<<: *x, b: 2}\n", "a.yml")["y"] == {"b": 2}


def test_nesting_without_end_is_an_error() -> None:
    with pytest.raises(InternalError, match="does not parse"):
        load_yaml("[" * 5000, "a.yml")


@pytest.mark.parametrize("number", ["1:" * 100_000 + "1", "1:" * 2000 + "1.5", "0x" + "f" * 10_000, "1" * 10_000])
@pytest.mark.parametrize("text", ["a: {0}\n", "a: &b {0}\nc: *b\n"], ids=["plain", "with an alias"])
def test_a_number_that_nobody_means_is_a_text(text: str, number: str) -> None:
    assert load_yaml(text.format(number), "x.yml")["a"] == number
